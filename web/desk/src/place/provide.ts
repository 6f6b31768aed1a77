import { computed, inject, provide, reactive, type ComputedRef, type InjectionKey } from 'vue';
import type { Desk } from '../link/desk';
import { closed } from '../state/reading';
import { forgetWriting } from './audience';
import type { Chat, State } from '../state/state';

/** Which of the desk's passing surfaces are open, and a wish to write that the composer fulfils. */
export interface Surfaces {
    status: boolean;
    settings: boolean;
    shortcuts: boolean;
    drawer: boolean;
    context: boolean;
    /** The chat whose end, or whose leaving, is to be confirmed. */
    asking: { readonly chat: string; readonly what: 'end' | 'leave' } | null;
    /** Signing out is to be confirmed. */
    signingOut: boolean;
    /** Counts up whenever the keyboard should go to the composer. */
    write: number;
}

/** What every part of the page shares: the desk, its state, the chat in view, and what is open. */
export interface DeskView {
    readonly desk: Desk;
    readonly state: ComputedRef<State>;
    readonly chat: ComputedRef<Chat | undefined>;
    /** The agent's running chats in the order of the list. */
    readonly chats: ComputedRef<Chat[]>;
    /** The chats of the list that are closed to the agent, in its order. */
    readonly closedChats: ComputedRef<Chat[]>;
    readonly surfaces: Surfaces;
    select(chat: string): void;
    /** Puts closed chats away, with what was begun in them. */
    done(chats: readonly string[]): void;
    /** Goes offline: signs the agent out, after a question if that gives chats back. */
    signOut(): void;
}

const key: InjectionKey<DeskView> = Symbol('desk');

/** Makes the view of a desk and hands it to every component below. */
export function provideDesk(desk: Desk, signOut: () => void): DeskView {
    const state = computed(() => desk.state.value);
    const listed = computed(() => state.value.order.flatMap((id) => state.value.chats[id] ?? []));
    const surfaces = reactive<Surfaces>({
        status: false,
        settings: false,
        shortcuts: false,
        drawer: false,
        context: false,
        asking: null,
        signingOut: false,
        write: 0,
    });
    const view: DeskView = {
        desk,
        state,
        chat: computed(() => (state.value.selected === null ? undefined : state.value.chats[state.value.selected])),
        chats: computed(() => listed.value.filter((chat) => closed(state.value, chat) === null)),
        closedChats: computed(() => listed.value.filter((chat) => closed(state.value, chat) !== null)),
        surfaces,
        signOut() {
            if (view.chats.value.length > 0) surfaces.signingOut = true;
            else signOut();
        },
        done(chats) {
            for (const chat of chats) {
                forgetWriting(chat);
                desk.dispatch({ type: 'desk-done', chat });
            }
            surfaces.write++;
        },
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
