import type { State } from './state';

/**
 * Puts chats at the end of the list unless they are there, takes those back that were put away and
 * are the agent's again, and sees to the selection: the chat this desk has just accepted, or the
 * first one if none is selected.
 */
export function listed(state: State, ids: readonly string[]): State {
    const mine = state.agent?.chats ?? [];
    const news = [...ids, ...mine].filter(
        (id, i, all) => state.chats[id] && !state.order.includes(id) && all.indexOf(id) === i,
    );
    const order = news.length === 0 ? state.order : [...state.order, ...news];
    const done = news.length === 0 ? state.done : state.done.filter((id) => !news.includes(id));
    const arrived = state.accepting !== null && order.includes(state.accepting) && mine.includes(state.accepting);
    const kept = state.selected !== null && order.includes(state.selected) ? state.selected : null;
    const selected = arrived ? state.accepting : (kept ?? order.find((id) => state.chats[id]) ?? null);
    return { ...state, order, done, selected, accepting: arrived ? null : state.accepting };
}

/** The chats of the list that the desk holds nothing of and has not asked for yet. */
export function missing(state: State): string[] {
    const asked = new Set(state.outbox.flatMap(({ order }) => (order.op === 'open' ? [order.chat] : [])));
    return state.order.filter((id) => !state.chats[id] && !asked.has(id));
}
