import { createApp } from 'vue';
import '@halley/shared/tokens.css';
import './styles/index.css';
import App from './App.vue';
import './place/look';

createApp(App).mount('#desk');
