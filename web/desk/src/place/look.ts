import { localStore } from '@halley/shared/storage';
import { ref, watchEffect } from 'vue';

/** How the desk looks and sounds on this computer; kept there and applied at once. */
export type Theme = 'auto' | 'light' | 'dark';
export type Density = 'comfortable' | 'compact';

const themes: readonly Theme[] = ['auto', 'light', 'dark'];
const densities: readonly Density[] = ['comfortable', 'compact'];

export const theme = ref<Theme>(stored('theme', themes));
export const density = ref<Density>(stored('density', densities));
/** No sound at all, and none of one kind. */
export const muted = ref(localStore.read('halley.desk.muted') === 'yes');
export const mutedOffers = ref(localStore.read('halley.desk.muted.offers') === 'yes');
export const mutedLines = ref(localStore.read('halley.desk.muted.lines') === 'yes');

function stored<T extends string>(name: string, among: readonly T[]): T {
    const value = localStore.read(`halley.desk.${name}`);
    return among.find((one) => one === value) ?? among[0]!;
}

watchEffect(() => {
    document.documentElement.dataset['theme'] = theme.value;
    document.documentElement.dataset['density'] = density.value;
    localStore.write('halley.desk.theme', theme.value);
    localStore.write('halley.desk.density', density.value);
    localStore.write('halley.desk.muted', muted.value ? 'yes' : null);
    localStore.write('halley.desk.muted.offers', mutedOffers.value ? 'yes' : null);
    localStore.write('halley.desk.muted.lines', mutedLines.value ? 'yes' : null);
});
