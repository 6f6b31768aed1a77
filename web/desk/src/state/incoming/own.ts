import type { OwnGrew } from '../../wire/delivery';
import type { Own } from '../../wire/shapes';
import { listed } from '../list';
import { noticed } from '../notices';
import type { State } from '../state';

/** The agent's own log grew: his presence, his offers or his chats changed. */
export function own(state: State, message: OwnGrew): State {
    const news = message.events.filter((event) => event.index > state.own);
    const agent = !state.agent || message.agent.last >= state.agent.last ? message.agent : state.agent;
    const last = news.reduce((max, event) => Math.max(max, event.index), state.own);
    const assigned = news.filter((event) => event.type === 'assigned').map((event) => event.chat);
    const done = assigned.length === 0 ? state.done : state.done.filter((id) => !assigned.includes(id));
    const names = offerers(state, news);
    const missed = missedIn(state, news);
    const now = listed({ ...state, agent, own: last, done, missed }, []);
    return news.reduce((before, event) => tell(before, event, names), now);
}

function tell(state: State, event: Own, names: ReadonlyMap<string, string>): State {
    if (event.type !== 'offer-closed' || event.outcome !== 'withdrawn') return state;
    const name = names.get(event.chat);
    return noticed(state, name ? `The chat of ${name} is no longer on offer to you.` : 'An offer was withdrawn.');
}

/** Whose chat was not answered last, as far as these events of the agent's own log tell. */
export function missedIn(state: State, news: readonly Own[]): string {
    const names = offerers(state, news);
    const last = news.findLast((event) => event.type === 'offer-closed' && event.outcome === 'missed');
    return last?.type === 'offer-closed' ? (names.get(last.chat) ?? '') : state.missed;
}

/** Whose the chats are that are or were on offer. */
function offerers(state: State, news: readonly Own[]): ReadonlyMap<string, string> {
    const offers = [...(state.agent?.offers ?? []), ...news.flatMap((one) => (one.type === 'offer-made' ? [one] : []))];
    return new Map(offers.map((offer) => [offer.chat, offer.name]));
}
