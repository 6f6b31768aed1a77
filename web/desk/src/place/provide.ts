import { computed, inject, provide, reactive, type ComputedRef, type InjectionKey } from 'vue';
import type { Desk } from '../link/desk';
import type { Chat, State } from '../state/state';

/** Which of the desk's passing surfaces are open, and a wish to write that the composer fulfils. */
export interface Surfaces {
    status: boolean;
    settings: boolean;
    shortcuts: boolean;
    drawer: boolean;
    context: boolean;
    /** The chat whose end is to be confirmed. */
    ending: string | null;
    /** Counts up whenever the keyboard should go to the composer. */
    write: number;
}

/** What every part of the page shares: the desk, its state, the chat in view, and what is open. */
export interface DeskView {
    readonly desk: Desk;
    readonly state: ComputedRef<State>;
    readonly chat: ComputedRef<Chat | undefined>;
    /** The agent's chats in the order of the list. */
    readonly chats: ComputedRef<Chat[]>;
    readonly surfaces: Surfaces;
    select(chat: string): void;
    /** Goes offline: signs the agent out. */
    signOut(): void;
}

const key: InjectionKey<DeskView> = Symbol('desk');

/** Makes the view of a desk and hands it to every component below. */
export function provideDesk(desk: Desk, signOut: () => void): DeskView {
    const state = computed(() => desk.state.value);
    const surfaces = reactive<Surfaces>({
        status: false,
        settings: false,
        shortcuts: false,
        drawer: false,
        context: false,
        ending: null,
        write: 0,
    });
    const view: DeskView = {
        desk,
        state,
        chat: computed(() => (state.value.selected === null ? undefined : state.value.chats[state.value.selected])),
        chats: computed(() => state.value.order.flatMap((id) => state.value.chats[id] ?? [])),
        surfaces,
        signOut,
        select(chat) {
            desk.dispatch({ type: 'desk-selected', chat });
            surfaces.drawer = false;
            surfaces.write++;
        },
    };
    provide(key, view);
    return view;
}

export function useDesk(): DeskView {
    const view = inject(key);
    if (!view) throw new Error('This component is used outside of a desk.');
    return view;
}
