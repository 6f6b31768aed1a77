import { expect, test } from 'vitest';
import { unansweredSince, unread } from '../src/state/reading';
import type { Fact } from '../src/state/fact';
import { rowsOf } from '../src/state/rows';
import { grow } from '../src/state/transcript';
import type { ChatEvent, From } from '../src/wire/shapes';
import { info, joined, ME, me, NOON, said, visitor } from './fixture';

function noticed(index: number, text?: string, attributes?: unknown, from: From | undefined = visitor): ChatEvent {
    const what = { ...(text === undefined ? {} : { text }), ...(attributes === undefined ? {} : { attributes }) };
    return { index, at: NOON + index * 1000, type: 'noticed', from, ...what };
}

function told(...events: ChatEvent[]): (readonly Fact[])[] {
    const rows = rowsOf(grow(undefined, info('A'), events), ME);
    return rows.flatMap((row) => (row.kind === 'notices' ? [row.facts] : []));
}

test('notices of programs are told in words, and those that follow each other are one row', () => {
    const rows = told(
        joined(1),
        joined(2, me),
        noticed(3, 'cart changed'),
        noticed(4, ''),
        said(5, 'hello'),
        noticed(6, 'from the other side', undefined, me),
    );
    expect(rows.map((facts) => facts.map(({ index, text }) => [index, text]))).toEqual([
        [
            [3, 'A notice from Maria: cart changed'],
            [4, 'A notice from Maria'],
        ],
        [[6, 'A notice from you: from the other side']],
    ]);
    const [[nobody]] = told({ index: 1, at: NOON, type: 'noticed', text: 'hi' }) as [[Fact]];
    expect(nobody).toEqual({ index: 1, at: NOON, text: 'A notice from the house: hi' });
});

test('what is too much for a line is kept apart from it, whole', () => {
    const long = `${'x'.repeat(199)}😀 and more`;
    const [[both]] = told(joined(1), noticed(2, long, { purpose: 'cart', items: 2 })) as [[Fact]];
    expect(both.text).toBe(`A notice from Maria: ${'x'.repeat(199)}😀…`);
    expect(both.more).toBe(`${long}\n\n{\n  "purpose": "cart",\n  "items": 2\n}`);
    const [[plain]] = told(joined(1), noticed(2, 'y'.repeat(200))) as [[Fact]];
    expect(plain).toEqual({ index: 2, at: NOON + 2000, text: `A notice from Maria: ${'y'.repeat(200)}` });
});

test('a notice is nothing that waits for an answer or is unread', () => {
    const chat = grow(undefined, info('A'), [joined(1), joined(2, me), noticed(3, 'cart changed')]);
    expect([unread(chat, ME), unansweredSince(chat)]).toEqual([0, null]);
});

test('an address that somebody showed can be followed', () => {
    const url = 'https://example.org/offer?a=b';
    const shown: ChatEvent = { index: 2, at: NOON, type: 'pushed', url, from: visitor };
    const rows = rowsOf(grow(undefined, info('A'), [joined(1), shown]), ME);
    expect(rows.at(-1)).toMatchObject({ kind: 'fact', text: `Maria showed ${url}`, url });
    expect(rows.at(-2)).not.toHaveProperty('url');
});
