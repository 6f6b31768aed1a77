import { onBeforeUnmount, onMounted } from 'vue';
import { closed } from '../state/reading';
import { writeFor, type Audience } from './audience';
import type { Seat } from './seat';

/** One line of the shortcut sheet. */
export interface Shortcut {
    readonly keys: string;
    readonly does: string;
}

export const shortcuts: readonly Shortcut[] = [
    { keys: 'Alt+A', does: 'Accept the offer' },
    { keys: 'Alt+D', does: 'Decline the offer' },
    { keys: 'Alt+J', does: 'Next chat' },
    { keys: 'Alt+K', does: 'Previous chat' },
    { keys: 'Alt+1 … 9', does: 'Chat by its place in the list' },
    { keys: 'Alt+E', does: 'End the chat' },
    { keys: 'Alt+P', does: 'Write for staff only' },
    { keys: 'Alt+L', does: 'Write for everybody' },
    { keys: 'Alt+S', does: 'Status' },
    { keys: 'Enter', does: 'Send' },
    { keys: 'Shift+Enter', does: 'New line' },
    { keys: 'Esc', does: 'Close what is open' },
    { keys: '?', does: 'This sheet' },
];

/** Listens for the desk's shortcuts while the page is there. Keys are told by their place, so Alt may write other signs. */
export function useShortcuts(seat: Seat): void {
    const listen = (event: KeyboardEvent): void => {
        if (event.isComposing || event.defaultPrevented) return;
        if (pressed(seat, event)) event.preventDefault();
    };
    onMounted(() => window.addEventListener('keydown', listen));
    onBeforeUnmount(() => window.removeEventListener('keydown', listen));
}

function pressed(seat: Seat, event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey) return false;
    if (!event.altKey) return plain(seat, event);
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
    if (digit) return go(seat, Number(digit) - 1);
    const act = chords[event.code];
    return act ? act(seat) : false;
}

function plain(seat: Seat, event: KeyboardEvent): boolean {
    const open = seat.surfaces;
    if (event.key === 'Escape') {
        if (open.ending !== null || open.drawer) open.write++;
        Object.assign(open, { status: false, settings: false, shortcuts: false, drawer: false, context: false });
        open.ending = null;
        return false;
    }
    if (event.key !== '?' || inField(event.target)) return false;
    open.shortcuts = !open.shortcuts;
    return true;
}

const chords: Readonly<Record<string, (seat: Seat) => boolean>> = {
    KeyJ: (seat) => go(seat, place(seat) + 1),
    KeyK: (seat) => go(seat, place(seat) - 1),
    KeyA: (seat) => answer(seat, 'accept'),
    KeyD: (seat) => answer(seat, 'decline'),
    KeyE: (seat) => {
        const chat = seat.chat.value;
        if (chat && !closed(seat.state.value, chat)) seat.surfaces.ending = chat.info.id;
        return true;
    },
    KeyP: (seat) => address(seat, 'staff'),
    KeyL: (seat) => address(seat, 'all'),
    KeyS: (seat) => {
        seat.surfaces.status = !seat.surfaces.status;
        return true;
    },
};

function place(seat: Seat): number {
    return seat.chats.value.findIndex((chat) => chat.info.id === seat.state.value.selected);
}

function go(seat: Seat, to: number): boolean {
    const chat = seat.chats.value[to];
    if (chat) seat.select(chat.info.id);
    return true;
}

function address(seat: Seat, audience: Audience): boolean {
    const chat = seat.chat.value;
    if (!chat || closed(seat.state.value, chat)) return true;
    writeFor(chat.info.id, audience);
    seat.surfaces.write++;
    return true;
}

function answer(seat: Seat, op: 'accept' | 'decline'): boolean {
    const offer = openOffers(seat)[0];
    if (offer) seat.desk.order({ op, chat: offer.chat });
    return true;
}

/** The offers that the agent has not answered yet at this desk. */
export function openOffers(seat: Seat) {
    const answered = new Set(
        seat.state.value.outbox.flatMap(({ order }) =>
            order.op === 'accept' || order.op === 'decline' ? [order.chat] : [],
        ),
    );
    return (seat.state.value.agent?.offers ?? []).filter((offer) => !answered.has(offer.chat));
}

function inField(target: EventTarget | null): boolean {
    return (
        target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
    );
}
