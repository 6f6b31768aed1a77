import { onBeforeUnmount, onMounted } from 'vue';
import { composes } from '@halley/shared/keyboard';
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
export function useShortcuts(view: DeskView): void {
    const listen = (event: KeyboardEvent): void => {
        if (composes(event) || event.defaultPrevented) return;
        if (pressed(view, event)) event.preventDefault();
    };
    onMounted(() => window.addEventListener('keydown', listen));
    onBeforeUnmount(() => window.removeEventListener('keydown', listen));
}

function pressed(view: DeskView, event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey) return false;
    if (!event.altKey) return plain(view, event);
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
    if (digit) return go(view, Number(digit) - 1);
    const act = chords[event.code];
    return act ? act(view) : false;
}

function plain(view: DeskView, event: KeyboardEvent): boolean {
    const open = view.surfaces;
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

const chords: Readonly<Record<string, (view: DeskView) => boolean>> = {
    KeyJ: (view) => go(view, place(view) + 1),
    KeyK: (view) => go(view, place(view) - 1),
    KeyA: (view) => answer(view, 'accept'),
    KeyD: (view) => answer(view, 'decline'),
    KeyE: (view) => {
        const chat = view.chat.value;
        if (chat && !closed(view.state.value, chat)) view.surfaces.ending = chat.info.id;
        return true;
    },
    KeyP: (view) => address(view, 'staff'),
    KeyL: (view) => address(view, 'all'),
    KeyS: (view) => {
        view.surfaces.status = !view.surfaces.status;
        return true;
    },
};

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
