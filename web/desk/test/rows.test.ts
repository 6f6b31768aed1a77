import { timeOfDay } from '@halley/shared/duration';
import { expect, test } from 'vitest';
import { reuseRows, rowsOf } from '../src/state/rows';
import { grow } from '../src/state/transcript';
import type { Chat } from '../src/state/state';
import type { ChatEvent } from '../src/wire/shapes';
import { ended, info, joined, ME, me, NOON, said, visitor } from './fixture';

function rows(...events: ChatEvent[]) {
    return rowsOf(grow(undefined, info('A'), events), ME);
}

function texts(...events: ChatEvent[]): string[] {
    return rows(...events).flatMap((row) => {
        if (row.kind === 'fact') return [row.text];
        if (row.kind === 'routing') return [row.facts.map((fact) => fact.text).join(', ')];
        return row.kind === 'line' ? [`${row.name}: ${row.said.text}`] : [];
    });
}

const routed: ChatEvent[] = [
    { index: 2, at: NOON, type: 'queued', queue: 'support' },
    { index: 3, at: NOON, type: 'offered', agent: 9, reason: 'longest idle' },
    { index: 4, at: NOON, type: 'missed', agent: 9 },
    { index: 5, at: NOON, type: 'offered', agent: ME },
    { index: 6, at: NOON, type: 'accepted', agent: ME },
];

test('routing is one row, and everything is told in words', () => {
    expect(texts(joined(1), ...routed, joined(7, me), said(8, 'hi'), ended(9))).toEqual([
        'Maria joined',
        'Waiting in support, Offered to Another agent (longest idle), Another agent did not answer, Offered to you, You accepted',
        'You joined',
        'Maria: hi',
        'Maria ended the chat',
    ]);
});

test('a lost connection is told once, with the return, and a short one not at all', () => {
    const at = NOON;
    expect(texts(joined(1), { index: 2, at, type: 'gone' }, { index: 3, at, type: 'back' })).toEqual(['Maria joined']);
    expect(texts(joined(1), { index: 2, at, type: 'away' }, { index: 3, at, type: 'back' })).toEqual([
        'Maria joined',
        'Maria lost the connection and may come back',
        'Maria is back',
    ]);
    const background = { index: 2, at, type: 'away', reason: 'background' } as const;
    expect(texts(joined(1), background, { index: 3, at, type: 'back' })).toEqual([
        'Maria joined',
        'Maria put the chat in the background',
        'Maria is back',
    ]);
});

test('lines of one person in a short time are a group', () => {
    const late = { ...said(6, 'd'), at: NOON + 600_000 };
    const lines = rows(said(1, 'a'), said(2, 'b'), said(3, 'c', 'x'), said(4, 'e'), late).filter(
        (row) => row.kind === 'line',
    );
    expect(lines.map((row) => [row.first, row.last])).toEqual([
        [true, false],
        [false, true],
        [true, true],
        [true, true],
        [true, true],
    ]);
    expect(lines.map((row) => row.side)).toEqual(['visitor', 'visitor', 'agent', 'visitor', 'visitor']);
});

test('the divider stands before the first missed line of somebody else', () => {
    const chat = grow(undefined, info('A'), [said(1, 'a'), said(2, 'b', 'x'), said(3, 'c')]);
    const kinds = rowsOf({ ...chat, away: { after: 1, count: 1 } }, ME).map((row) => row.key);
    expect(kinds.slice(1)).toEqual(['e1', 'e2', 'away', 'e3']);
});

test('rows that did not change stay the same objects, and those that did do not', () => {
    const before = rows(joined(1), said(2, 'a'), said(3, 'b'));
    const after = rows(joined(1), said(2, 'a'), said(3, 'b'), said(4, 'c'));
    const one = said(2, 'a');
    const first = rows(one);
    const both = reuseRows(new Map(first.map((row) => [row.key, row])), rows(one, said(3, 'b')));
    expect(both[0]).toBe(first[0]);
    expect(both[1]).toMatchObject({ first: true, last: false });
    const same = reuseRows(new Map(before.map((row) => [row.key, row])), after);
    expect(same).toEqual(after);
});

test('whoever ends the chat is not said to leave as well', () => {
    const left: ChatEvent = { index: 2, at: NOON, type: 'left', reason: 'end', from: me };
    const end: ChatEvent = { index: 3, at: NOON, type: 'ended', reason: 'agent', by: 2 };
    expect(texts(joined(1, me), left, end)).toEqual(['You joined', 'You ended the chat']);
    expect(texts(joined(1, me), { ...left, reason: '' })).toEqual(['You joined', 'You left']);
});

const ben = { no: 3, role: 'agent', name: 'Ben', staff: 9 };
const house = { no: 3, role: 'house', name: 'System' };

test('what the house does about the life of a chat is told in words', () => {
    const at = NOON;
    expect(
        texts(
            joined(1),
            joined(2, me),
            { index: 4, at, type: 'idle-warned', stage: 1, text: 'still there?', closes: at + 45_000, from: house },
            { index: 5, at, type: 'idle-closed', text: 'good bye', from: house },
            { index: 6, at, type: 'ended', reason: 'idle', by: 0 },
        ),
    ).toEqual([
        'Maria joined',
        'You joined',
        `Maria was told that the chat will be closed at ${timeOfDay(NOON + 45_000)}: “still there?”`,
        'Maria was told why the chat is closed: “good bye”',
        'The chat ended because nothing was written for a while',
    ]);
    const left: ChatEvent = { index: 3, at, type: 'left', reason: 'hold', from: me };
    expect(
        texts(
            joined(1),
            joined(2, me),
            left,
            { index: 4, at, type: 'held', agent: ME },
            {
                index: 5,
                at,
                type: 'survey',
                url: 'https://example.org/',
                from: house,
            },
        ),
    ).toEqual(['Maria joined', 'You joined', 'You put the chat on hold', 'Maria was asked for an opinion']);
});

test('a line that the customer does not see says so, and stands apart', () => {
    const lines = rows(
        said(1, 'a', 'x'),
        { ...said(2, 'b', 'y'), audience: 'staff' } as ChatEvent,
        { ...said(3, 'c', 'y'), audience: 'staff' } as ChatEvent,
        { ...said(4, 'd', 'z'), audience: 'private', to: [4] } as ChatEvent,
        said(5, 'e', 'z'),
    ).filter((row) => row.kind === 'line');
    expect(lines.map((row) => [row.aside, row.first])).toEqual([
        [null, true],
        ['Staff only', true],
        ['Staff only', true],
        ['Private', true],
        [null, true],
    ]);
    const named = rows(
        joined(1),
        joined(2, me),
        joined(3, ben),
        { ...said(4, 'c', 'z'), audience: 'private', to: [3] } as ChatEvent,
        { ...said(5, 'd', 'z'), audience: 'private', to: [3, 2] } as ChatEvent,
        { ...said(6, 'e', 'z'), audience: 'moon' } as ChatEvent,
    ).filter((row) => row.kind === 'line');
    expect(named.map((row) => [row.aside, row.first])).toEqual([
        ['Private, for Ben', true],
        ['Private, for Ben, you', true],
        ['Staff only', true],
    ]);
});

/** A chat of so many lines after its opening, in turns by the visitor and by the agent. */
function long(lines: number): Chat {
    const events = Array.from({ length: lines }, (_, i) =>
        said(i + 3, `line ${i}`, i % 2 === 0 ? undefined : `id${i}`),
    );
    return grow(undefined, info('A'), [joined(1), joined(2, me), ...events]);
}

test('a part of a chat is laid out as it stands in the whole of it', () => {
    const whole = rowsOf(long(500), ME);
    const part = rowsOf(long(500), ME, 403);
    expect(part).toHaveLength(101);
    expect(part[0]).toMatchObject({ kind: 'day' });
    expect(part.slice(1)).toEqual(whole.slice(-100));
});

test('who is who and who is away is known from before the part that is laid out', () => {
    const away: ChatEvent = { index: 3, at: NOON + 3000, type: 'away', from: visitor };
    const back: ChatEvent = { index: 4, at: NOON + 4000, type: 'back', from: visitor };
    const chat = grow(undefined, info('A'), [joined(1), joined(2, me), away, back]);
    expect(rowsOf(chat, ME, 4).slice(1)).toMatchObject([{ kind: 'fact', text: 'Maria is back' }]);
});

test('a divider that stands earlier is not put at the first line of the part', () => {
    const chat = { ...long(500), away: { after: 2, count: 250 } };
    expect(rowsOf(chat, ME, 403).map((row) => row.kind)).not.toContain('away');
    expect(rowsOf(chat, ME).map((row) => row.kind)).toContain('away');
});
