/** The texts in English that the list of servers needs, and what stands around every page. */
import { charts } from './charts';
import { common } from './common';
import { doctor } from './doctor';
import { errors } from './errors';
import { fields } from './fields';
import { format } from './format';
import { many } from './many';
import { move } from './move';
import { nav } from './nav';
import { power } from './power';
import { servers } from './servers';
import { ui } from './ui';
import { upgrades } from './upgrades';

export const first = { charts, common, doctor, errors, fields, format, many, move, nav, power, servers, ui, upgrades };

export type First = typeof first;
