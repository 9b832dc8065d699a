/** All texts in English. They say which texts there are: other languages have the same keys. */
import { access } from './access';
import { templates } from './templates';
import { run } from './run';
import { causes } from './causes';
import { account } from './account';
import { charts } from './charts';
import { clash } from './clash';
import { common } from './common';
import { console } from './console';
import { create } from './create';
import { doctor } from './doctor';
import { errors } from './errors';
import { fields } from './fields';
import { format } from './format';
import { gameFiles } from './gameFiles';
import { games } from './games';
import { many } from './many';
import { move } from './move';
import { nav } from './nav';
import { nodes } from './nodes';
import { ports } from './ports';
import { power } from './power';
import { registries } from './registries';
import { servers } from './servers';
import { settings } from './settings';
import { setup } from './setup';
import { signIn } from './signIn';
import { sources } from './sources';
import { startup } from './startup';
import { ui } from './ui';
import { upgrades } from './upgrades';
import { users } from './users';

export const texts = { access, account, causes, run, templates, charts, clash, common, console, create, doctor, errors, fields, format, gameFiles, games, many, move, nav, nodes, ports, power, registries, servers, settings, setup, signIn, sources, startup, ui, upgrades, users };

export type Texts = typeof texts;
