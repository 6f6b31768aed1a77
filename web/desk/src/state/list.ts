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
    return bounded({ ...state, order, done, selected, accepting: arrived ? null : state.accepting });
}

/** How many ended chats the desk holds at most. */
export const MOST_ENDED = 30;

/** How many ids of chats that are put away the desk remembers. */
const MOST_DONE = 200;

/** Puts the oldest ended chats away if there are too many: all but the selected one and those with lines yet to be sent. */
function bounded(state: State): State {
    const ended = state.order.filter((id) => state.chats[id]?.info.phase === 'ended');
    if (ended.length <= MOST_ENDED) return state;
    const needed = new Set(state.outbox.flatMap(({ order }) => ('chat' in order ? [order.chat] : [])));
    const surplus = ended.slice(0, ended.length - MOST_ENDED);
    return putAway(
        state,
        surplus.filter((id) => id !== state.selected && !needed.has(id)),
    );
}

/** Takes chats out of the list and out of memory. */
export function putAway(state: State, ids: readonly string[]): State {
    if (ids.length === 0) return state;
    const gone = new Set(ids);
    const chats = Object.fromEntries(Object.entries(state.chats).filter(([id]) => !gone.has(id)));
    const order = state.order.filter((id) => !gone.has(id));
    return { ...state, chats, order, done: [...state.done, ...ids].slice(-MOST_DONE) };
}

/** The chats of the list that the desk holds nothing of and has not asked for yet. */
export function missing(state: State): string[] {
    const asked = new Set(state.outbox.flatMap(({ order }) => (order.op === 'open' ? [order.chat] : [])));
    return state.order.filter((id) => !state.chats[id] && !asked.has(id));
}
