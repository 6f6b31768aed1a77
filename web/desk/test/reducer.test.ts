import { expect, test } from 'vitest';
import { missing, MOST_ENDED } from '../src/state/list';
import { canRejoin, closed, customerState, unansweredSince, unread } from '../src/state/reading';
import { reduce, type Message } from '../src/state/reduce';
import { empty, type State } from '../src/state/state';
import { agent, assigned, ended, info, joined, ME, me, NOON, resumed, said, typed, visitor } from './fixture';

const opening = resumed([{ chat: info('A'), events: [joined(1), joined(2, me)] }]);

function after(...messages: Message[]): State {
    return [opening, ...messages].reduce<State>(reduce, empty);
}

function push(...events: Parameters<typeof resumed>[0][number]['events']): Message {
    return { type: 'chat', chat: info('A'), events };
}

test('the divider stands before the first line missed, and counts what others wrote', () => {
    const back = resumed([{ chat: info('A'), events: [said(4, 'mine', 'x'), said(5, 'one'), said(6, 'two')] }]);
    const state = after(push(said(3, 'seen')), { type: 'desk-lost', at: 0 }, back);
    expect(state.chats['A']!.away).toEqual({ after: 3, count: 2 });
    expect(state.lost).toBeNull();
});

test('lines that a found-again session pushes ahead of the resume count as missed too', () => {
    const state = after(
        { type: 'desk-lost', at: 0 },
        push(said(3, 'late')),
        resumed([{ chat: info('A'), events: [] }]),
    );
    expect(state.chats['A']!.away).toEqual({ after: 2, count: 1 });
});

test('a reload has no divider, and an answer takes it away', () => {
    expect(after(push(said(3, 'x'))).chats['A']!.away).toBeNull();
    const marked = after({ type: 'desk-lost', at: 0 }, resumed([{ chat: info('A'), events: [said(3, 'x')] }]));
    const order = { op: 'say', chat: 'A', text: 'hello' } as const;
    const answered = reduce(marked, {
        type: 'desk-ordered',
        pending: { id: 'p', at: 0, order, status: 'waiting', attempts: 0 },
    });
    expect(answered.chats['A']!.away).toBeNull();
});

test('a preview stands until a line, a stop or the end, and a replayed one is nothing', () => {
    const typing = after(push(typed(3, true, 'Hel')));
    expect(typing.chats['A']!.typing).toEqual({ no: 1, name: visitor.name, preview: 'Hel', at: NOON + 3000 });
    expect(reduce(typing, push(said(4, 'Hello'))).chats['A']!.typing).toBeNull();
    expect(reduce(typing, push(typed(4, false))).chats['A']!.typing).toBeNull();
    expect(reduce(typing, push(ended(4))).chats['A']!.typing).toBeNull();
    expect(reduce(reduce(typing, push(said(4, 'Hello'))), push(typed(3, true, 'Hel'))).chats['A']!.typing).toBeNull();
});

test('the unanswered timer begins with the first line nobody answered', () => {
    const open = after(push(said(3, 'a'), said(4, 'b')));
    expect(unansweredSince(open.chats['A']!)).toBe(NOON + 3000);
    const answered = reduce(open, push(said(5, 'c', 'x')));
    expect(unansweredSince(answered.chats['A']!)).toBeNull();
    expect(unansweredSince(reduce(answered, push(said(6, 'd'))).chats['A']!)).toBe(NOON + 6000);
    // Neither the house nor a line among agents is an answer, and neither asks for one.
    const house = { ...said(5, 'welcome'), from: { no: 3, role: 'house', name: 'System' } };
    const aside = { ...said(6, 'look', 'x'), audience: 'private', to: [4] };
    const still = reduce(open, push(house, aside as typeof house));
    expect(unansweredSince(still.chats['A']!)).toBe(NOON + 3000);
    expect(unread(reduce(answered, push({ ...house, index: 6 })).chats['A']!, ME)).toBe(0);
});

test('unread lines are those after the last look and after the own last line', () => {
    const state = after(push(said(3, 'a'), said(4, 'b', 'x'), said(5, 'c'), said(6, 'd')));
    expect(unread(state.chats['A']!, ME)).toBe(2);
    const looked = reduce(state, { type: 'desk-looked', chat: 'A' });
    expect(unread(looked.chats['A']!, ME)).toBe(0);
});

test('an older picture of the agent does not replace a newer one', () => {
    const state = after({ type: 'own', agent: agent(5, { presence: 'not-ready' }), events: [] });
    expect(reduce(state, { type: 'own', agent: agent(4), events: [] }).agent!.presence).toBe('not-ready');
});

test('a chat that this desk accepted is shown when it is there; one assigned elsewhere does not take the view', () => {
    const mine = agent(2, { chats: ['A', 'B'] });
    const came: Message[] = [
        { type: 'own', agent: mine, events: [assigned(2, 'B')] },
        { type: 'chat', chat: info('B'), events: [joined(1), joined(2, me)] },
    ];
    expect(after(...came).selected).toBe('A');
    const order = { op: 'accept', chat: 'B' } as const;
    const accept: Message = {
        type: 'desk-ordered',
        pending: { id: 'p', at: 0, order, status: 'waiting', attempts: 0 },
    };
    expect(after(accept, ...came).selected).toBe('B');
    expect(after(accept, ...came.toReversed()).selected).toBe('B');
    expect(after(accept, ...came).order).toEqual(['A', 'B']);
});

test('a chat is closed by its end, or when both logs say that the agent is out', () => {
    const over = after({ type: 'chat', chat: info('A', { phase: 'ended' }), events: [ended(3)] });
    expect(closed(over, over.chats['A']!)).toBe('ended');
    const left = after(push({ index: 3, at: NOON, type: 'left', from: me }));
    expect(closed(left, left.chats['A']!)).toBeNull();
    const freed = reduce(left, { type: 'own', agent: agent(2, { chats: [] }), events: [] });
    expect(closed(freed, freed.chats['A']!)).toBe('left');
});

test('done puts a closed chat away for good, and never an open one', () => {
    expect(after({ type: 'desk-done', chat: 'A' }).order).toEqual(['A']);
    const end: Message = { type: 'chat', chat: info('A', { phase: 'ended' }), events: [ended(3)] };
    const freed: Message = { type: 'own', agent: agent(2, { chats: [] }), events: [] };
    const away = after(end, freed, { type: 'desk-done', chat: 'A' });
    expect(away.order).toEqual([]);
    expect(away.selected).toBeNull();
    expect(reduce(away, end).order).toEqual([]);
});

test('the oldest ended chats leave, but not the selected one, one with a line yet to be sent, or a running one', () => {
    const end = (id: string): Message => ({ type: 'chat', chat: info(id, { phase: 'ended' }), events: [ended(1)] });
    const many = Array.from({ length: MOST_ENDED + 5 }, (_, i) => `E${i}`);
    const order = { op: 'say', chat: 'E1', text: 'late' } as const;
    const pending = { id: 'p', at: 0, order, status: 'failed', attempts: 1 } as const;
    const state = after(
        ...many.slice(0, 2).map(end),
        { type: 'desk-selected', chat: 'E0' },
        { type: 'desk-ordered', pending },
        ...many.slice(2).map(end),
    );
    const kept = ['A', 'E0', 'E1', ...many.slice(5)];
    expect(state.order).toEqual(kept);
    expect(Object.keys(state.chats).toSorted()).toEqual(kept.toSorted());
    expect(state.selected).toBe('E0');
    expect(reduce(state, end('E2')).order).toEqual(kept);
});

test('a chat that ended does not come to life by an old description', () => {
    const state = after(
        { type: 'chat', chat: info('A', { phase: 'ended' }), events: [ended(3)] },
        push(said(2, 'old')),
    );
    expect(state.chats['A']!.info.phase).toBe('ended');
});

test('chats kept over a reload are asked for once, and forgotten if they are gone', () => {
    const state = [resumed([])].reduce<State>(reduce, { ...empty, order: ['Z'] });
    expect(missing(state)).toEqual(['Z']);
    const order = { op: 'open', chat: 'Z' } as const;
    const asked = reduce(state, {
        type: 'desk-ordered',
        pending: { id: 'o', at: 0, order, status: 'waiting', attempts: 0 },
    });
    expect(missing(asked)).toEqual([]);
    expect(
        reduce(asked, { type: 'reply', id: 'o', ok: false, error: { code: 'not-found', message: '' } }).order,
    ).toEqual([]);
});

test('an agent may come back into a chat that he left a moment ago, while it waits', () => {
    const left = { index: 3, at: NOON, type: 'left', from: me } as const;
    const freed: Message = { type: 'own', agent: agent(2, { chats: [] }), events: [] };
    const waits = after({ type: 'chat', chat: info('A', { phase: 'waiting' }), events: [left] }, freed);
    const may = (state: State, now: number) => canRejoin(state, state.chats['A']!, now);
    expect(may(waits, NOON + 59_000)).toBe(true);
    expect(may(waits, NOON + 60_000)).toBe(false);
    expect(may(after(push(left), freed), NOON)).toBe(false);
    expect(may(after(), NOON)).toBe(false);
});

test('the customer is shown to be away, or about to be closed, until somebody writes', () => {
    const warned = { index: 3, at: NOON, type: 'idle-warned', stage: 1, text: '', closes: NOON + 90_000 } as const;
    const told = (state: State, now = NOON) => customerState(state.chats['A']!, now);
    expect(told(after())).toBe('');
    expect(told(after({ type: 'chat', chat: info('A', { away: true }), events: [said(3, 'x')] }))).toBe('Away');
    expect(told(after(push(warned)), NOON + 30_000)).toBe('Closes in 1:00');
    expect(told(after(push(warned), push(said(4, 'here'))))).toBe('');
    const end: Message = { type: 'chat', chat: info('A', { phase: 'ended', away: true }), events: [ended(3)] };
    expect(told(after(end))).toBe('');
});
