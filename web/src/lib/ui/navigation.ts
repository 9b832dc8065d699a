import { Cpu, Server, Settings, UserRound, Users, type LucideIcon } from '@lucide/svelte';

export interface Entry {
  path: string;
  label: string;
  icon: LucideIcon;
  admin: boolean;
}

/** The pages of the rail, of the bar at the bottom on phones, and of the palette. */
export const entries: Entry[] = [
  { path: '/servers', label: 'Servers', icon: Server, admin: false },
  { path: '/nodes', label: 'Nodes', icon: Cpu, admin: true },
  { path: '/users', label: 'Users', icon: Users, admin: true },
  { path: '/settings', label: 'Settings', icon: Settings, admin: true },
  { path: '/account', label: 'Account', icon: UserRound, admin: false }
];

export const isHere = (entry: Entry, pathname: string) => pathname === entry.path || pathname.startsWith(`${entry.path}/`);
