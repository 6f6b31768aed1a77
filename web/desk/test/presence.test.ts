import { expect, test } from 'vitest';
import { missedWord, presenceTimer } from '../src/view/bar/presence';
import { reduce } from '../src/state/reduce';
import { empty } from '../src/state/state';
import type { Own } from '../src/wire/shapes';
import { agent, NOON, resumed } from './fixture';

test('an agent who was never present is not offline since 1970', () => {
    expect(presenceTimer(agent(0, { presence: 'offline', since: 0 }), NOON)).toBe('');
    expect(presenceTimer(agent(1), NOON + 65_000)).toBe('1:05');
});

const offer = { chat: 'B', until: NOON + 20_000, queue: 'support', name: 'Maria', subject: '', since: NOON };
const made: Own = { index: 2, at: NOON, type: 'offer-made', ...offer };
const closed = (outcome: 'missed' | 'withdrawn'): Own => ({
    index: 3,
    at: NOON,
    type: 'offer-closed',
    chat: 'B',
    outcome,
});
const gone = agent(3, { presence: 'not-responding' });

test('a missed offer says whose chat it was, when it is pushed and after a reload', () => {
    const ringing = reduce(empty, resumed([], { agent: agent(2, { offers: [offer] }), own: [made] }));
    const pushed = reduce(ringing, { type: 'own', agent: gone, events: [closed('missed')] });
    const loaded = reduce(empty, resumed([], { agent: gone, own: [made, closed('missed')] }));
    for (const state of [pushed, loaded]) {
        expect(missedWord(gone, state.missed)).toContain(', because the chat of Maria was not answered');
    }
    expect(missedWord(gone, '')).not.toContain('because');
});

test('a withdrawn offer says whose chat it was', () => {
    const ringing = reduce(empty, resumed([], { agent: agent(2, { offers: [offer] }), own: [made] }));
    const state = reduce(ringing, { type: 'own', agent: agent(3), events: [closed('withdrawn')] });
    expect(state.notices.map(({ text }) => text)).toEqual(['The chat of Maria is no longer on offer to you.']);
});
