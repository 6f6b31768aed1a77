import type { State } from './state';

const MOST_NOTICES = 4;

/** Adds a notice; of too many at once the oldest go. */
export function noticed(state: State, text: string): State {
    const id = (state.notices.at(-1)?.id ?? 0) + 1;
    return { ...state, notices: [...state.notices, { id, text }].slice(-MOST_NOTICES) };
}
