// Dark, light, or as the system says; kept in this browser.
import { computed, ref, watchEffect } from 'vue';
import type { Theme } from '../scale/scale';

export type ThemeChoice = 'auto' | Theme;
const STORED = 'citybrain.theme';
const CHOICES: ThemeChoice[] = ['auto', 'dark', 'light'];

function preferred(): ThemeChoice {
  const asked = new URLSearchParams(location.search).get('theme') ?? localStorage.getItem(STORED);
  return CHOICES.find((c) => c === asked) ?? 'auto';
}

const system = matchMedia('(prefers-color-scheme: light)');
const systemTheme = ref<Theme>(system.matches ? 'light' : 'dark');
system.addEventListener('change', () => (systemTheme.value = system.matches ? 'light' : 'dark'));

export const themeChoice = ref<ThemeChoice>(preferred());
export const theme = computed<Theme>(() => (themeChoice.value === 'auto' ? systemTheme.value : themeChoice.value));

export function nextTheme(): void {
  themeChoice.value = CHOICES[(CHOICES.indexOf(themeChoice.value) + 1) % CHOICES.length]!;
  localStorage.setItem(STORED, themeChoice.value);
}

watchEffect(() => {
  document.documentElement.dataset.theme = theme.value;
});
