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
    return news.reduce(tell, listed({ ...state, agent, own: last, done }, []));
}

function tell(state: State, event: Own): State {
    const withdrawn = event.type === 'offer-closed' && event.outcome === 'withdrawn';
    return withdrawn ? noticed(state, 'An offer was withdrawn.') : state;
}
