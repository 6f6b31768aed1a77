import { timeOfDay, timer } from '@halley/shared/duration';
import type { Agent, Presence } from '../../wire/shapes';

/** The reasons for not being ready that the desk offers. */
export const reasons: readonly string[] = ['Break', 'Lunch', 'Training', 'Meeting', 'Follow-up'];

const words: Readonly<Record<Presence, string>> = {
    ready: 'Ready',
    'not-ready': 'Not ready',
    'not-responding': 'Not responding',
    offline: 'Offline',
};

/** The presence in a word or two, with the reason if the agent gave one. */
export function presenceWord(agent: Agent | null): string {
    if (!agent) return words.offline;
    const word = words[agent.presence];
    return agent.presence === 'not-ready' && agent.reason ? `${word} – ${agent.reason}` : word;
}

/** How long the agent has been so; nothing for one who has never been anything but offline. */
export function presenceTimer(agent: Agent, now: number): string {
    return agent.since === 0 ? '' : timer(now - agent.since);
}

/** What the agent is told when the system changed his presence; name is whose chat he did not answer, if that is known. */
export function missedWord(agent: Agent, name: string): string {
    const because = name === '' ? '' : `, because the chat of ${name} was not answered`;
    return `You were set to Not responding at ${timeOfDay(agent.since)}${because}`;
}
