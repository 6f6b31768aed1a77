import { expect, test } from 'vitest';
import { due, linesOf } from '../src/state/outbox';
import { reduce, type Message } from '../src/state/reduce';
import { empty, type Pending, type State } from '../src/state/state';
import type { Order } from '../src/wire/command';
import { info, joined, me, resumed, said } from './fixture';

const start = [
    { type: 'desk-linked', transport: 'websocket', at: 0 },
    resumed([{ chat: info('A'), events: [joined(1), joined(2, me)] }]),
] satisfies Message[];

function after(...messages: Message[]): State {
    return [...start, ...messages].reduce<State>(reduce, empty);
}

function order(id: string, what: Order): Message {
    return { type: 'desk-ordered', pending: { id, at: 0, order: what, status: 'waiting', attempts: 0 } };
}

function say(id: string, chat = 'A'): Message {
    return order(id, { op: 'say', chat, text: `text of ${id}` });
}

function sent(...ids: string[]): Message {
    return { type: 'desk-sent', ids };
}

const lost: Message = { type: 'desk-lost', at: 0 };

function ids(pending: readonly Pending[]): string[] {
    return pending.map((one) => one.id);
}

test('nothing is due before the desk has resumed', () => {
    expect(ids(due(after(say('a'))))).toEqual(['a']);
    expect(due(after(lost, say('a')))).toEqual([]);
    expect(due(after(lost, say('a'), { type: 'desk-linked', transport: '', at: 0 }))).toEqual([]);
    expect(ids(due(after(lost, say('a'), ...start)))).toEqual(['a']);
});

test('what was under way when the connection broke is due again after the resume, with the same ids and in order', () => {
    expect(ids(due(after(say('a'), sent('a'), say('b'), lost, say('c'), ...start)))).toEqual(['a', 'b', 'c']);
});

test('a line whose event came with the resume is not sent again', () => {
    const back = resumed([{ chat: info('A'), events: [said(3, 'text of a', 'a')] }]);
    const state = after(say('a'), say('b'), sent('a', 'b'), lost, start[0]!, back);
    expect(ids(due(state))).toEqual(['b']);
    expect(linesOf(state, 'A')).toHaveLength(1);
});

test('a line leaves the outbox with its own event, ahead of the answer', () => {
    const event: Message = { type: 'chat', chat: info('A'), events: [said(3, 'text of a', 'a')] };
    expect(after(say('a'), sent('a'), event).outbox).toEqual([]);
    expect(after(say('a'), sent('a'), event, { type: 'reply', id: 'a', ok: true }).outbox).toEqual([]);
});

test('an answered line without its event stays in sight and is not sent again', () => {
    const state = after(say('a'), sent('a'), { type: 'reply', id: 'a', ok: true }, lost, ...start);
    expect(due(state)).toEqual([]);
    expect(linesOf(state, 'A')).toHaveLength(1);
});

test('a refused line says why, and a retry is a new command', () => {
    const refused: Message = { type: 'reply', id: 'a', ok: false, error: { code: 'too-long', message: '' } };
    const state = after(say('a'), sent('a'), refused);
    expect(state.outbox[0]).toMatchObject({ status: 'failed', error: 'The message is too long.' });
    expect(due(state)).toEqual([]);
    const again = reduce(state, { type: 'desk-retried', id: 'a', fresh: 'b' });
    expect(ids(due(again))).toEqual(['b']);
    expect(reduce(state, { type: 'desk-discarded', id: 'a' }).outbox).toEqual([]);
});

test('a line for staff stays one, however often it is sent', () => {
    const line = { op: 'say', chat: 'A', text: 'a remark', audience: 'staff' } as const;
    const refused: Message = { type: 'reply', id: 'a', ok: false, error: { code: 'too-long', message: '' } };
    const busy: Message = { type: 'reply', id: 'a', ok: false, error: { code: 'unavailable', message: '' } };
    const lossy = after(order('a', line), sent('a'), lost, ...start);
    expect(due(lossy)).toMatchObject([{ id: 'a', order: line }]);
    const held = after(order('a', line), sent('a'), busy, { type: 'desk-released', id: 'a' });
    expect(due(held)).toMatchObject([{ id: 'a', order: line }]);
    const again = after(order('a', line), sent('a'), refused, { type: 'desk-retried', id: 'a', fresh: 'b' });
    expect(due(again)).toMatchObject([{ id: 'b', order: line }]);
});

test('while the server is unavailable a line is held and later lines of its chat wait behind it', () => {
    const refused: Message = { type: 'reply', id: 'a', ok: false, error: { code: 'unavailable', message: '' } };
    const state = after(say('a'), sent('a'), refused, say('b'), order('r', { op: 'ready' }));
    expect(ids(due(state))).toEqual(['r']);
    expect(ids(due(reduce(state, { type: 'desk-released', id: 'a' })))).toEqual(['a', 'b', 'r']);
});

test('an answer that the desk has not resumed makes it resume and send again', () => {
    const refused: Message = { type: 'reply', id: 'a', ok: false, error: { code: 'not-resumed', message: '' } };
    const state = after(say('a'), sent('a'), refused);
    expect(state.link.phase).toBe('resuming');
    expect(ids(due([...start].reduce<State>(reduce, state)))).toEqual(['a']);
});

test('a refused order other than a line becomes a notice', () => {
    const refused: Message = { type: 'reply', id: 'x', ok: false, error: { code: 'not-offered', message: '' } };
    const state = after(order('x', { op: 'accept', chat: 'Z' }), sent('x'), refused);
    expect(state.outbox).toEqual([]);
    expect(state.accepting).toBeNull();
    expect(state.notices.map((notice) => notice.text)).toEqual(['The offer is no longer open.']);
});

test('answers to unknown commands and unknown messages change nothing', () => {
    const state = after();
    expect(reduce(state, { type: 'reply', id: 'nobody', ok: false })).toBe(state);
    expect(reduce(state, { type: 'toString' } as unknown as Message)).toBe(state);
    expect(reduce(state, { type: 'news' } as unknown as Message)).toBe(state);
});

test('a command that breaks the connection each time takes nothing along, and is given up', () => {
    let state = after(say('poison', 'A'), say('good', 'B'));
    const tried: string[][] = [];
    for (let i = 0; i < 8; i++) {
        const ready = ids(due(state));
        tried.push(ready);
        // What went out ahead of the poison arrives from the moment it is no longer in one message with it.
        state = reduce(state, sent(...ready));
        if (i >= 2) for (const id of ready) if (id !== 'poison') state = reduce(state, { type: 'reply', id, ok: true });
        state = [lost, ...start].reduce<State>(reduce, state);
    }
    expect(tried.slice(0, 6)).toEqual([
        ['poison', 'good'],
        ['poison', 'good'],
        ['poison'],
        ['poison'],
        ['poison'],
        ['good'],
    ]);
    expect(state.outbox.find((one) => one.id === 'poison')).toMatchObject({
        status: 'failed',
        error: 'The connection broke each time it was sent.',
    });
    expect(due(state)).toEqual([]);
});

test('a line that cannot be sent says so and holds up no other', () => {
    const state = after(say('a'), say('b'), { type: 'desk-refused', id: 'a', why: 'It is too long.' });
    expect(state.outbox[0]).toMatchObject({ id: 'a', status: 'failed', error: 'It is too long.' });
    expect(ids(due(state))).toEqual(['b']);
});
