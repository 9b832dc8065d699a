/** A server's way to another node: what is said of it, and where it may go. */
import { duration } from '../format';
import type { Move, MoveStep, Node, Server } from '../types';
import { t } from '../i18n/i18n.svelte';

export const words = (step: MoveStep) => (t.move.step as Record<string, string>)[step] ?? step;

type UnderWay = Move & { step: Exclude<MoveStep, 'failed' | 'done'> };

/** Whether it is on its way; one that is over may still have something to say. */
export const isMoving = (move: Move | null | undefined): move is UnderWay =>
  move != null && move.step !== 'failed' && move.step !== 'done';

/** Why a server can't move to (or from) this node; empty where it can. */
export function obstacle(node: Node): string {
  if (!node.online) return t.move.why.offline;
  if (!node.capabilities.includes('transfer')) return t.move.why.unsupported;
  if (node.engine?.available === false) return t.move.why.docker;
  if (node.draining) return t.move.why.draining;
  return '';
}

/** The other nodes, those that can take it first. */
export const targets = (server: Server, nodes: Node[]) =>
  nodes
    .filter((node) => node.id !== server.nodeId)
    .map((node) => ({ node, why: obstacle(node) }))
    .sort((a, b) => Number(a.why !== '') - Number(b.why !== '') || a.node.name.localeCompare(b.node.name));

/** How long the rest of the copy takes at this speed. */
export function left(move: Move): string {
  if (!move.rate || move.bytes >= move.total) return '';
  return t.move.left(duration(((move.total - move.bytes) / move.rate) * 1000));
}
