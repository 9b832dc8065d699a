import type { Node } from '../types';

/** Whether its agent has never connected. Alone in its file: the list of servers needs it, and nothing else of `labels.ts`. */
export const awaited = (node: Node) => !node.online && !node.lastSeen;
