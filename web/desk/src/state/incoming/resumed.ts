import type { Resumed } from '../../wire/delivery';
import type { ChatLog } from '../../wire/shapes';
import { listed } from '../list';
import { missedIn } from './own';
import { withoutEchoes } from '../outbox';
import type { Chat, State } from '../state';
import { grow } from '../transcript';

/** Everything missed has come, and from now on the server pushes what happens. */
export function resumed(state: State, message: Resumed): State {
    const agent = !state.agent || message.agent.last >= state.agent.last ? message.agent : state.agent;
    const chats = { ...state.chats };
    let outbox = state.outbox;
    for (const log of message.chats) {
        const id = log.chat.id;
        if (!chats[id] && state.done.includes(id) && !agent.chats.includes(id)) continue;
        const grown = grow(chats[id], log.chat, log.events);
        const known = chats[id] ? grown : { ...grown, read: Math.min(state.readBefore[id] ?? 0, grown.last) };
        chats[id] = marked(known, log, state, agent.id);
        outbox = withoutEchoes(outbox, log.events);
    }
    const own = message.own.reduce((max, event) => Math.max(max, event.index), Math.max(state.own, message.agent.last));
    const now: State = {
        ...state,
        link: { ...state.link, phase: 'up' },
        agent,
        own,
        chats,
        outbox,
        waiting: message.waiting,
        lost: null,
        resume: null,
        missed: missedIn(state, message.own),
        cursorless: false,
    };
    return listed(
        now,
        message.chats.map((log) => log.chat.id),
    );
}

/** Puts the divider where the agent stopped reading when the connection was lost, if others wrote since. */
function marked(chat: Chat, log: ChatLog, state: State, me: number): Chat {
    const after = state.lost?.[log.chat.id];
    if (after === undefined) return chat;
    const missed = chat.events.filter(
        (event) =>
            event.index > after && (event.type === 'said' || event.type === 'shared') && event.from?.staff !== me,
    );
    return missed.length === 0 ? chat : { ...chat, away: { after, count: missed.length } };
}
