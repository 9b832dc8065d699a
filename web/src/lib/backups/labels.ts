/** What goes on with a backup, in words. */
import { bytesOf, duration, rate } from '../format';
import type { Backup } from '../types';
import { t } from '../i18n/i18n.svelte';

/** What is under way, and how far it is. */
export function going(backup: Backup): { text: string; percent: number | undefined; detail: string } {
  const progress = backup.progress;
  const text =
    backup.copying ? t.backups.copying(backup.copying)
    : backup.testing ? (progress && progress.total > 0 && progress.bytes < progress.total ? t.backups.testWriting : t.backups.testing)
    : backup.status === 'deleting' ? t.backups.deleting
    : backup.status === 'proceeding' ? t.backups.proceeding
    : backup.status === 'restoring' ? (progress ? t.backups.restoring : t.backups.savingFirst)
    : progress ? t.backups.creating : t.backups.waiting;
  if (!progress || progress.total === 0) return { text, percent: undefined, detail: '' };
  const done = Math.min(progress.bytes, progress.total);
  const left = progress.rate > 0 ? ((progress.total - done) / progress.rate) * 1000 : null;
  const detail = [bytesOf(done, progress.total), rate(progress.rate), left !== null && left >= 1000 ? t.backups.left(duration(left)) : ''];
  return { text, percent: (done / progress.total) * 100, detail: detail.filter(Boolean).join(' · ') };
}
