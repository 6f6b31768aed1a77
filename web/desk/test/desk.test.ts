import type { Store } from '@halley/shared/storage';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Listener } from '../src/link/connection';
import { Desk } from '../src/link/desk';
import type { Command } from '../src/wire/command';
import { unread } from '../src/state/reading';
import { agent, info, joined, ME, me, resumed, said } from './fixture';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const opening = resumed([{ chat: info('A'), events: [joined(1), joined(2, me)] }]);

/** A desk over a connection that the test plays. */
function sit(store: Store) {
    const published: Command[] = [];
    const replaced: string[] = [];
    let listener!: Listener;
    const desk = new Desk(agent(1), {
        store,
        connect: (given) => {
            listener = given;
            return { publish: (commands) => void published.push(...commands), close: () => undefined };
        },
        serverTime: () => undefined,
        doubted: () => undefined,
        replaced: (by) => void replaced.push(by.name),
    });
    return { desk, listener, published, replaced, take: () => published.splice(0) };
}

function memory(): Store {
    const values = new Map<string, string>();
    return {
        read: (key) => values.get(key) ?? null,
        write: (key, value) => void (value === null ? values.delete(key) : values.set(key, value)),
    };
}

test('every link resumes with the cursor, and what waited is sent after the answer with its id', () => {
    const { desk, listener, take } = sit(memory());
    desk.order({ op: 'say', chat: 'A', text: 'early' });
    expect(take()).toEqual([]);
    listener.linked('websocket');
    expect(take()).toMatchObject([{ op: 'resume', cursor: { own: 0, chats: {} } }]);
    listener.delivered(opening);
    const [first] = take();
    expect(first).toMatchObject({ op: 'say', text: 'early' });
    listener.lost();
    listener.linked('websocket');
    expect(take()).toMatchObject([{ op: 'resume', cursor: { own: 1, chats: { A: 2 } } }]);
    listener.delivered(opening);
    expect(take()).toEqual([first]);
});

test('a resume that is not answered is sent again', () => {
    const { listener, take } = sit(memory());
    listener.linked('websocket');
    take();
    vi.advanceTimersByTime(6_000);
    expect(take()).toMatchObject([{ op: 'resume' }]);
    listener.lost();
    vi.advanceTimersByTime(60_000);
    expect(take()).toEqual([]);
});

test('a line refused for the moment is sent again with its id', () => {
    const { desk, listener, take } = sit(memory());
    listener.linked('websocket');
    listener.delivered(opening);
    take();
    desk.order({ op: 'say', chat: 'A', text: 'x' });
    const [first] = take();
    listener.delivered({ type: 'reply', id: first!.id, ok: false, error: { code: 'unavailable', message: '' } });
    expect(take()).toEqual([]);
    vi.advanceTimersByTime(2_000);
    expect(take()).toEqual([first]);
});

test('an answer that the desk has not resumed makes it resume at once', () => {
    const { desk, listener, take } = sit(memory());
    listener.linked('websocket');
    listener.delivered(opening);
    take();
    desk.order({ op: 'ready' });
    const [first] = take();
    listener.delivered({ type: 'reply', id: first!.id, ok: false, error: { code: 'not-resumed', message: '' } });
    expect(take()).toMatchObject([{ op: 'resume' }]);
    listener.delivered(opening);
    expect(take()).toEqual([first]);
});

test('a reload keeps the unsent lines with their ids, the list and the chat in view', () => {
    const store = memory();
    const before = sit(store);
    before.listener.linked('websocket');
    before.listener.delivered(opening);
    before.take();
    before.listener.lost();
    before.desk.order({ op: 'say', chat: 'A', text: 'kept', audience: 'staff' });
    const { id } = before.desk.state.value.outbox[0]!;
    before.desk.close();

    const after = sit(store);
    expect(after.desk.state.value).toMatchObject({ selected: 'A', order: ['A'] });
    after.listener.linked('websocket');
    expect(after.take()).toMatchObject([{ op: 'resume', cursor: { own: 0, chats: {} } }]);
    after.listener.delivered(opening);
    expect(after.take()).toEqual([{ op: 'say', chat: 'A', text: 'kept', audience: 'staff', id }]);
    after.listener.delivered({ type: 'chat', chat: info('A'), events: [said(3, 'kept', id)] });
    expect(after.desk.state.value.outbox).toEqual([]);
});

test('a closed chat of the list is fetched after a reload', () => {
    const store = memory();
    store.write('halley.desk.7', JSON.stringify({ order: ['Z', 'A'], selected: 'Z', lines: [] }));
    const { desk, listener, take } = sit(store);
    listener.linked('websocket');
    listener.delivered(opening);
    const [, open] = take();
    expect(open).toMatchObject({ op: 'open', chat: 'Z' });
    const whole = { type: 'transcript', id: open!.id, chat: info('Z', { phase: 'ended' }), events: [said(1, 'old')] };
    listener.delivered(whole);
    expect(desk.state.value).toMatchObject({ selected: 'Z', order: ['Z', 'A'], outbox: [] });
});

test('a reload keeps how far each chat was read', () => {
    const store = memory();
    const before = sit(store);
    before.listener.linked('websocket');
    before.listener.delivered({ ...opening, chats: [{ chat: info('A'), events: [joined(1), said(2, 'seen')] }] });
    before.desk.dispatch({ type: 'desk-looked', chat: 'A' });
    before.listener.delivered({ type: 'chat', chat: info('A'), events: [said(3, 'new')] });
    before.desk.close();

    const after = sit(store);
    after.listener.linked('websocket');
    const events = [joined(1), said(2, 'seen'), said(3, 'new')];
    after.listener.delivered({ ...opening, chats: [{ chat: info('A'), events }] });
    expect(unread(after.desk.state.value.chats['A']!, ME)).toBe(1);
});

test('typing is sent only while the connection is up', () => {
    const { desk, listener, take } = sit(memory());
    desk.signal({ op: 'typing', chat: 'A', on: true, text: 'x' });
    listener.linked('websocket');
    listener.delivered(opening);
    take();
    desk.signal({ op: 'typing', chat: 'A', on: true, text: 'y' });
    expect(take()).toMatchObject([{ op: 'typing', text: 'y' }]);
});

test('whatever is not a delivery is left alone', () => {
    const { desk, listener } = sit(memory());
    const before = desk.state.value;
    for (const data of [undefined, null, 4, 'x', {}, { type: 5 }, { type: 'news' }]) listener.delivered(data);
    expect(desk.state.value).toBe(before);
});

test('lists that are null are empty', () => {
    const { desk, listener } = sit(memory());
    listener.linked('websocket');
    const nobody = { ...agent(1), chats: null, offers: null };
    listener.delivered({
        type: 'resumed',
        id: 'r',
        now: 0,
        agent: nobody,
        own: null,
        chats: null,
        left: null,
        waiting: null,
    });
    listener.delivered({ type: 'chat', chat: info('A'), events: null });
    expect(desk.state.value).toMatchObject({ agent: { chats: [], offers: [] }, waiting: [], link: { phase: 'up' } });
});

test('a refused resume is sent again without a cursor, and the next one after a success has one', () => {
    const { listener, take } = sit(memory());
    listener.linked('websocket');
    const [first] = take();
    listener.delivered({ type: 'reply', id: first!.id, ok: false, error: { code: 'invalid', message: '' } });
    const again = take();
    expect(again).toMatchObject([{ op: 'resume' }]);
    expect(again[0]).not.toHaveProperty('cursor');
    listener.delivered(opening);
    listener.lost();
    listener.linked('websocket');
    expect(take()).toMatchObject([{ op: 'resume', cursor: { chats: { A: 2 } } }]);
});

test('chats that have ended are not in the cursor', () => {
    const { listener, take } = sit(memory());
    listener.linked('websocket');
    const over = { chat: info('B', { phase: 'ended' as const }), events: [said(1, 'old')] };
    listener.delivered({ ...opening, chats: [...opening.chats, over] });
    take();
    listener.lost();
    listener.linked('websocket');
    expect(take()).toMatchObject([{ op: 'resume', cursor: { chats: { A: 2 } } }]);
});

test('a desk never becomes that of another agent who has signed in in the same browser', () => {
    const { desk, listener, replaced } = sit(memory());
    listener.linked('websocket');
    listener.delivered(opening);
    const before = desk.state.value;
    listener.delivered({ ...opening, agent: agent(1, { id: 8, name: 'Ben' }) });
    expect(replaced).toEqual(['Ben']);
    expect(desk.state.value).toBe(before);
});

test('a command that the connection refuses inside of a publish is told after it', () => {
    const { desk, listener } = sit(memory());
    listener.linked('websocket');
    listener.delivered(opening);
    desk.order({ op: 'say', chat: 'A', text: 'x' });
    const { id } = desk.state.value.outbox[0]!;
    listener.refused(id, 'It is too long.');
    expect(desk.state.value.outbox).toMatchObject([{ id, status: 'failed', error: 'It is too long.' }]);
});
