import type { Store } from '@halley/shared/storage';
import type { Pending, State } from '../state/state';

/**
 * What of a desk outlives a reload of its page: the lines that are not sent yet, which chats were in
 * the list and how far they were read, and which one was open. Everything else comes from the server again.
 */
export interface Kept {
    readonly lines: readonly Pending[];
    readonly order: readonly string[];
    readonly selected: string | null;
    /** The last index that the agent has looked at, of each chat of the list. */
    readonly read: Readonly<Record<string, number>>;
}

const nothing: Kept = { lines: [], order: [], selected: null, read: {} };

/** Reads what an agent's desk in this tab left behind. */
export function readKept(store: Store, agent: number): Kept {
    const text = store.read(keyOf(agent));
    if (text === null) return nothing;
    try {
        const kept = { ...nothing, ...(JSON.parse(text) as Partial<Kept>) };
        return {
            ...kept,
            lines: kept.lines.map((line) => ({ ...line, status: line.status ?? 'waiting', attempts: 0 })),
        };
    } catch {
        return nothing;
    }
}

/** Keeps what matters of a state; nothing is written if the part that matters is as it was. */
export function writeKept(store: Store, agent: number, state: State, before: State): void {
    const unchanged =
        state.outbox === before.outbox &&
        state.order === before.order &&
        state.selected === before.selected &&
        state.order.every((id) => state.chats[id]?.read === before.chats[id]?.read);
    if (unchanged) return;
    const lines = state.outbox.filter((pending) => pending.order.op === 'say');
    const kept: Kept = { lines, order: state.order, selected: state.selected, read: readOf(state) };
    store.write(keyOf(agent), JSON.stringify(kept));
}

/** What is not here yet after a reload counts as read as far as it was before. */
function readOf(state: State): Record<string, number> {
    return Object.fromEntries(state.order.map((id) => [id, state.chats[id]?.read ?? state.readBefore[id] ?? 0]));
}

function keyOf(agent: number): string {
    return `halley.desk.${agent}`;
}
