import { onBeforeUnmount, onMounted } from 'vue';
import { composes } from '@halley/shared/keyboard';
import { chordName, chordOf } from './chord';
import { closed } from '../state/reading';
import { writeFor } from './audience';
import type { Audience } from './drafts';
import type { DeskView } from './provide';

/** One line of the shortcut sheet. */
export interface Shortcut {
    readonly keys: string;
    readonly does: string;
}

export const shortcuts: readonly Shortcut[] = [
    { keys: chordName('A'), does: 'Accept the offer' },
    { keys: chordName('D'), does: 'Decline the offer' },
    { keys: chordName('J'), does: 'Next chat' },
    { keys: chordName('K'), does: 'Previous chat' },
    { keys: chordName('1 … 9'), does: 'Chat by its place in the list' },
    { keys: chordName('E'), does: 'End the chat' },
    { keys: chordName('H'), does: 'Leave the chat' },
    { keys: chordName('W'), does: 'Done with the ended chat' },
    { keys: chordName('P'), does: 'Write for staff only' },
    { keys: chordName('L'), does: 'Write for everybody' },
    { keys: chordName('S'), does: 'Status' },
    { keys: 'Enter', does: 'Send' },
    { keys: 'Shift+Enter', does: 'New line' },
    { keys: 'Esc', does: 'Close what is open' },
    { keys: '?', does: 'This sheet' },
];

/** Listens for the desk's shortcuts while the page is there.  */
export function useShortcuts(view: DeskView): void {
    const listen = (event: KeyboardEvent): void => {
        if (composes(event) || event.defaultPrevented) return;
        if (pressed(view, event)) event.preventDefault();
    };
    onMounted(() => window.addEventListener('keydown', listen));
    onBeforeUnmount(() => window.removeEventListener('keydown', listen));
}

function pressed(view: DeskView, event: KeyboardEvent): boolean {
    const chord = chordOf({ ...keyOf(event), altGraph: event.getModifierState('AltGraph') });
    if (chord === null) return !event.altKey && !event.ctrlKey && !event.metaKey && plain(view, event);
    if (/^[1-9]$/.test(chord)) return go(view, Number(chord) - 1);
    return chords[chord]?.(view) ?? false;
}

function keyOf({ altKey, ctrlKey, metaKey, shiftKey, key, code }: KeyboardEvent) {
    return { altKey, ctrlKey, metaKey, shiftKey, key, code };
}

function plain(view: DeskView, event: KeyboardEvent): boolean {
    const open = view.surfaces;
    if (event.key === 'Escape') {
        if (open.asking !== null || open.drawer) open.write++;
        Object.assign(open, { status: false, settings: false, shortcuts: false, drawer: false, context: false });
        open.asking = null;
        return false;
    }
    if (event.key !== '?' || inField(event.target)) return false;
    open.shortcuts = !open.shortcuts;
    return true;
}

const chords: Readonly<Record<string, (view: DeskView) => boolean>> = {
    j: (view) => go(view, place(view) + 1),
    k: (view) => go(view, place(view) - 1),
    a: (view) => answer(view, 'accept'),
    d: (view) => answer(view, 'decline'),
    e: (view) => ask(view, 'end'),
    h: (view) => ask(view, 'leave'),
    w: (view) => {
        const chat = view.chat.value;
        if (chat && closed(view.state.value, chat)) view.done([chat.info.id]);
        return true;
    },
    p: (view) => address(view, 'staff'),
    l: (view) => address(view, 'all'),
    s: (view) => {
        view.surfaces.status = !view.surfaces.status;
        return true;
    },
};

function ask(view: DeskView, what: 'end' | 'leave'): boolean {
    const chat = view.chat.value;
    if (chat && !closed(view.state.value, chat)) view.surfaces.asking = { chat: chat.info.id, what };
    return true;
}

function place(view: DeskView): number {
    return view.chats.value.findIndex((chat) => chat.info.id === view.state.value.selected);
}

function go(view: DeskView, to: number): boolean {
    const chat = view.chats.value[to];
    if (chat) view.select(chat.info.id);
    return true;
}

function address(view: DeskView, audience: Audience): boolean {
    const chat = view.chat.value;
    if (!chat || closed(view.state.value, chat)) return true;
    writeFor(chat.info.id, audience);
    view.surfaces.write++;
    return true;
}

function answer(view: DeskView, op: 'accept' | 'decline'): boolean {
    const offer = openOffers(view)[0];
    if (offer) view.desk.order({ op, chat: offer.chat });
    return true;
}

/** The offers that the agent has not answered yet at this desk. */
export function openOffers(view: DeskView) {
    const answered = new Set(
        view.state.value.outbox.flatMap(({ order }) =>
            order.op === 'accept' || order.op === 'decline' ? [order.chat] : [],
        ),
    );
    return (view.state.value.agent?.offers ?? []).filter((offer) => !answered.has(offer.chat));
}

function inField(target: EventTarget | null): boolean {
    return (
        target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
    );
}
