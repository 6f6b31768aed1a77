import { expect, test } from 'vitest';
import { presenceTimer } from '../src/view/bar/presence';
import { agent, NOON } from './fixture';

test('an agent who was never present is not offline since 1970', () => {
    expect(presenceTimer(agent(0, { presence: 'offline', since: 0 }), NOON)).toBe('');
    expect(presenceTimer(agent(1), NOON + 65_000)).toBe('1:05');
});
