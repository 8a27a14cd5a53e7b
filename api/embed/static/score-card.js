// For the page that shows a card: <score-card src="https://evenhand.example" label="My score"></score-card>
// Set `tokenProvider` on the element: a function that asks your own server for a fresh embed token.
'use strict';
class ScoreCard extends HTMLElement {
  connectedCallback() {
    const home = new URL(this.getAttribute('src'), document.baseURI).origin;
    const frame = document.createElement('iframe');
    frame.setAttribute('sandbox', 'allow-scripts allow-same-origin');
    frame.referrerPolicy = 'no-referrer';
    frame.loading = 'lazy';
    frame.title = this.getAttribute('label') || 'Score';
    frame.width = '100%';
    frame.height = '420';
    frame.setAttribute('frameborder', '0');
    this.listener = async (event) => {
      if (event.source !== frame.contentWindow || event.origin !== home || !event.data || event.data.v !== 1) return;
      const told = event.data;
      if (told.type === 'size') frame.height = String(Math.min(4000, Math.max(40, Number(told.height) || 40)));
      if (told.type === 'error') this.dispatchEvent(new CustomEvent('score-card-error', { detail: told.code }));
      if (told.type !== 'need-token' || !this.tokenProvider) return;
      try {
        const token = await this.tokenProvider();
        frame.contentWindow.postMessage({ v: 1, type: 'token', token, theme: this.getAttribute('theme') || 'auto' }, home);
      } catch {
        this.dispatchEvent(new CustomEvent('score-card-error', { detail: 'TOKEN' }));
      }
    };
    window.addEventListener('message', this.listener);
    frame.src = home + '/embed/v1/score';
    this.replaceChildren(frame);
  }
  disconnectedCallback() {
    window.removeEventListener('message', this.listener);
  }
}
customElements.define('score-card', ScoreCard);
