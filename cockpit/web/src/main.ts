// The page begins here. A screen that has been open for days may ask for a file of a build that is gone: then it loads itself anew.
import { createApp } from 'vue';
import App from './App.vue';
import './style/base.css';

const RELOADED = 'citybrain.reloaded';
window.addEventListener('vite:preloadError', () => {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (Date.now() - last < 60_000) return; // once a minute at most: a missing file is not mended by hammering
  sessionStorage.setItem(RELOADED, String(Date.now()));
  location.reload();
});

createApp(App).mount('#app');
