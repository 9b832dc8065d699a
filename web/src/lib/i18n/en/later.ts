/** The texts in English that other pages need as well. */
import { access } from './access';
import { account } from './account';
import { backupPolicy } from './backupPolicy';
import { backups } from './backups';
import { backupTargets } from './backupTargets';
import { causes } from './causes';
import { clash } from './clash';
import { console } from './console';
import { create } from './create';
import { deletedServers } from './deletedServers';
import { findings } from './findings';
import { friends, shared } from './friends';
import { gameFiles } from './gameFiles';
import { games } from './games';
import { nodes } from './nodes';
import { panelBackup } from './panelBackup';
import { panelRestore } from './panelRestore';
import { players } from './players';
import { ports } from './ports';
import { registries } from './registries';
import { run } from './run';
import { sentences } from './sentences';
import { schedules } from './schedules';
import { settings } from './settings';
import { setup } from './setup';
import { signIn } from './signIn';
import { sources } from './sources';
import { startup } from './startup';
import { templates } from './templates';
import { users } from './users';

export const later = {
  access,
  account,
  backupPolicy,
  backups,
  backupTargets,
  causes,
  clash,
  console,
  create,
  deletedServers,
  findings,
  friends,
  gameFiles,
  games,
  nodes,
  panelBackup,
  panelRestore,
  players,
  ports,
  registries,
  run,
  sentences,
  schedules,
  settings,
  setup,
  shared,
  signIn,
  sources,
  startup,
  templates,
  users
};

export type Later = typeof later;
