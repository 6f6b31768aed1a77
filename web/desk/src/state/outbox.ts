import type { ChatEvent } from '../wire/shapes';
import type { Pending, State } from './state';

/** Leaves out the lines whose own event has come back: they are in the transcript now. */
export function withoutEchoes(outbox: readonly Pending[], events: readonly ChatEvent[]): readonly Pending[] {
    if (outbox.length === 0) return outbox;
    const echoed = new Set<string>();
    for (const event of events) if (event.type === 'said' && event.id) echoed.add(event.id);
    return without(outbox, (pending) => echoed.has(pending.id));
}

/** Leaves out what a rule names; the outbox itself is returned if it names nothing. */
export function without(outbox: readonly Pending[], rule: (pending: Pending) => boolean): readonly Pending[] {
    return outbox.some(rule) ? outbox.filter((pending) => !rule(pending)) : outbox;
}

/** Gives one command another status. */
export function withStatus(
    outbox: readonly Pending[],
    id: string,
    status: Pending['status'],
    error?: string,
): readonly Pending[] {
    return outbox.map((pending) =>
        pending.id === id
            ? {
                  id,
                  at: pending.at,
                  order: pending.order,
                  status,
                  attempts: pending.attempts,
                  ...(error ? { error } : {}),
              }
            : pending,
    );
}

/** What was under way when the connection broke is sent again, with the same ids. */
export function unsent(outbox: readonly Pending[]): readonly Pending[] {
    const open = (pending: Pending): boolean => pending.status === 'sent' || pending.status === 'held';
    return outbox.some(open)
        ? outbox.map((pending) => (open(pending) ? { ...pending, status: 'waiting' } : pending))
        : outbox;
}

/** How often a command is sent over connections that break before it is given up. */
const MOST_ATTEMPTS = 5;

/** After this many attempts a command is suspected of breaking the connection. */
const SUSPICIOUS = 2;

const BROKE = 'The connection broke each time it was sent.';

/** Gives up commands that went out often enough without ever being answered. */
export function exhausted(outbox: readonly Pending[]): readonly Pending[] {
    const over = (pending: Pending): boolean => pending.status === 'waiting' && pending.attempts >= MOST_ATTEMPTS;
    return outbox.some(over)
        ? outbox.map((pending) => (over(pending) ? { ...pending, status: 'failed', error: BROKE } : pending))
        : outbox;
}

/**
 * The commands to send now: none while the connection has not resumed, and none of a chat of which
 * an earlier one is held back, so that lines arrive in the order they were written. Of commands whose
 * sending was followed by a loss time and again one goes at a time, after the others, so that what
 * breaks the connection takes nothing else along.
 */
export function due(state: State): Pending[] {
    if (state.link.phase !== 'up') return [];
    const blocked = new Set<string>();
    const ready: Pending[] = [];
    const suspects = state.outbox.filter((one) => one.status === 'sent' && one.attempts > SUSPICIOUS);
    let suspect: Pending | undefined = suspects[0];
    const free = suspect === undefined;
    for (const pending of state.outbox) {
        const chat = 'chat' in pending.order ? pending.order.chat : '';
        if (pending.status === 'held') blocked.add(chat);
        if (pending.status !== 'waiting' || blocked.has(chat)) continue;
        if (pending.attempts < SUSPICIOUS) ready.push(pending);
        else {
            suspect ??= pending;
            blocked.add(chat);
        }
    }
    return free && suspect ? [...ready, suspect] : ready;
}

/** The agent's lines of a chat that are not in its transcript yet. */
export function linesOf(state: State, chat: string): Pending[] {
    return state.outbox.filter((pending) => pending.order.op === 'say' && pending.order.chat === chat);
}
