import { ref } from 'vue';
import { muted } from './look';

/** A tone: its pitch in hertz, when it begins and how long it lasts, in seconds. */
type Tone = readonly [pitch: number, from: number, span: number];

const tunes = {
    offer: [
        [660, 0, 0.14],
        [880, 0.16, 0.14],
        [660, 0.5, 0.14],
        [880, 0.66, 0.18],
    ],
    line: [[540, 0, 0.12]],
} satisfies Record<string, readonly Tone[]>;

let audio: AudioContext | undefined;

/** The browser keeps the page silent until it has been clicked, and a sound was wanted since it was loaded. */
export const blocked = ref(false);

/** Plays a tune softly unless the desk is muted. Browsers keep quiet until the page has been clicked once; see blocked. */
export function play(tune: keyof typeof tunes): void {
    if (muted.value || typeof AudioContext === 'undefined') return;
    audio ??= new AudioContext();
    if (audio.state === 'suspended') {
        blocked.value = true;
        void audio.resume().then(() => (blocked.value = false));
        return;
    }
    for (const [pitch, from, span] of tunes[tune]) tone(audio, pitch, audio.currentTime + from, span);
}

function tone(context: AudioContext, pitch: number, from: number, span: number): void {
    const source = context.createOscillator();
    const volume = context.createGain();
    source.frequency.value = pitch;
    volume.gain.setValueAtTime(0, from);
    volume.gain.linearRampToValueAtTime(0.12, from + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.001, from + span);
    source.connect(volume).connect(context.destination);
    source.start(from);
    source.stop(from + span);
}

/** Lets the page be heard, as an answer to a click. */
export async function enableSound(): Promise<void> {
    audio ??= new AudioContext();
    await audio.resume();
    blocked.value = false;
}
