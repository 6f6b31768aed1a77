import { explain } from '../../wire/explain';
import type { Reply } from '../../wire/delivery';
import { noticed } from '../notices';
import { unsent, withStatus, without } from '../outbox';
import type { Pending, State } from '../state';

/** A command was answered. Answers to commands that the desk no longer waits for are nothing to it. */
export function reply(state: State, message: Reply): State {
    const pending = state.outbox.find((one) => one.id === message.id);
    const code = message.ok ? '' : (message.error?.code ?? 'unknown');
    if (code === 'not-resumed') {
        const phase = state.link.phase === 'down' ? 'down' : 'resuming';
        return { ...state, link: { ...state.link, phase }, outbox: unsent(state.outbox) };
    }
    if (code !== '' && message.id === state.resume) return { ...state, cursorless: true };
    if (!pending) return state;
    if (code === 'unavailable') return { ...state, outbox: withStatus(state.outbox, pending.id, 'held') };
    return code === '' ? succeeded(state, pending) : failed(state, pending, code);
}

/** A line's own event comes ahead of its answer; should it be missing, the line stays until a resume brings it. */
function succeeded(state: State, pending: Pending): State {
    if (pending.order.op === 'say') return { ...state, outbox: withStatus(state.outbox, pending.id, 'acked') };
    return dropped(state, pending);
}

function failed(state: State, pending: Pending, code: string): State {
    return refusedWith(state, pending, explain(code));
}

/** Says that a command will never be carried out, and why; nothing if the desk does not wait for it. */
export function refused(state: State, id: string, why: string): State {
    const pending = state.outbox.find((one) => one.id === id);
    return pending ? refusedWith(state, pending, why) : state;
}

function refusedWith(state: State, pending: Pending, error: string): State {
    const order = pending.order;
    if (order.op === 'say' && state.chats[order.chat]) {
        return { ...state, outbox: withStatus(state.outbox, pending.id, 'failed', error) };
    }
    const rest = dropped(state, pending);
    if (order.op === 'open') return { ...rest, order: rest.order.filter((id) => id !== order.chat || rest.chats[id]) };
    const accepting = order.op === 'accept' && rest.accepting === order.chat ? null : rest.accepting;
    return noticed({ ...rest, accepting }, error);
}

function dropped(state: State, pending: Pending): State {
    return { ...state, outbox: without(state.outbox, (one) => one === pending) };
}
