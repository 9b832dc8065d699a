import { Cpu, LayoutGrid, Server, Settings, UserRound, Users, type LucideIcon } from '@lucide/svelte';
import { t } from '../i18n/i18n.svelte';

export interface Entry {
  path: string;
  label: () => string;
  icon: LucideIcon;
  admin: boolean;
}

/** The pages of the sidebar, of the bar at the bottom on phones, and of the palette. */
export const entries: Entry[] = [
  { path: '/servers', label: () => t.nav.servers, icon: Server, admin: false },
  { path: '/nodes', label: () => t.nav.nodes, icon: Cpu, admin: true },
  { path: '/templates', label: () => t.nav.templates, icon: LayoutGrid, admin: true },
  { path: '/users', label: () => t.nav.users, icon: Users, admin: true },
  { path: '/settings', label: () => t.nav.settings, icon: Settings, admin: true },
  { path: '/account', label: () => t.nav.account, icon: UserRound, admin: false }
];

export const isHere = (entry: Entry, pathname: string) => pathname === entry.path || pathname.startsWith(`${entry.path}/`);
