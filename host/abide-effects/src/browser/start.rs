//! How a browser is started: with which arguments, and with which policy of its own.
//!
//! It runs in a jail without a way out. What stands here is the second wall: each flag was measured to close a way that the one before left open, and they hold
//! also where something of the jail does not.

use std::collections::BTreeMap;

use serde_json::json;

/// The program of Debian's package, not the script around it.
pub const PROGRAM: &str = "/usr/lib/chromium/chromium";
/// What every Chromium tries in a jail, whatever its pages do: it asks the kernel whether the internet is there, and sends nothing.
pub const PROBE: &str = "reach [2001:4860:4860::8888]:443";
/// What it must be able to read beside what every check does.
pub const READ: [&str; 3] = ["/etc/fonts", "/usr/share/fonts", "/usr/lib/chromium"];

/// Its standard input and output are its two debugging pipes, 3 and 4. Nothing else of the shell's is passed on.
const PIPES: &str = r#"exec "$@" "--user-data-dir=$HOME/profile" 3<&0 4>&1 0</dev/null 1>&2"#;
/// What it does not need, in its own names. Each is a way to run, to ask or to keep something.
const FEATURES_OFF: &[&str] = &[
    "AcceptCHFrame",
    "AutofillServerCommunication",
    "BackForwardCache",
    "CertificateTransparencyComponentUpdater",
    "DialMediaRouteProvider",
    "DnsOverHttps",
    "GlobalMediaControls",
    "InterestFeedContentSuggestions",
    "MediaRouter",
    "OptimizationHints",
    "Prerender2",
    "PreloadingConfig",
    "Translate",
    "WebBluetooth",
    "WebUSB",
];
const FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    // No way out, once more.
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--no-pings",
    // Nothing of its maker's.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-field-trial-config",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-service-autorun",
    // One page is one page, and shows what it shows.
    "--block-new-web-contents",
    "--deny-permission-prompts",
    "--disable-notifications",
    "--disable-popup-blocking=false",
    "--disable-prompt-on-repost",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--lang=en-US",
    "--mute-audio",
    "--window-size=1280,900",
    // What the jail does not have.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--password-store=basic",
    "--use-mock-keychain",
    "--enable-automation",
];

/// The command. Its profile is below the home folder that its jail gives it, and ends with that.
pub fn command(program: &str) -> Vec<String> {
    let shell = ["/bin/sh", "-c", PIPES, "sh", program].map(str::to_owned);
    let own = [format!("--disable-features={}", FEATURES_OFF.join(",")), "about:blank".to_owned()];
    shell.into_iter().chain(FLAGS.iter().map(|flag| (*flag).to_owned())).chain(own).collect()
}

/// What stands in `/etc` for it: the policy that its own administrator would have set.
pub fn etc() -> BTreeMap<String, String> {
    let policy = json!({
        "URLBlocklist": ["file://*", "chrome://*", "chrome-untrusted://*", "devtools://*", "view-source:*", "ftp://*", "javascript://*"],
        "AllowFileSelectionDialogs": false,
        "AudioCaptureAllowed": false,
        "AutofillAddressEnabled": false,
        "AutofillCreditCardEnabled": false,
        "BackgroundModeEnabled": false,
        "BrowserSignin": 0,
        "ClipboardAllowedForUrls": [],
        "DefaultClipboardSetting": 2,
        "DefaultFileSystemReadGuardSetting": 2,
        "DefaultFileSystemWriteGuardSetting": 2,
        "DefaultGeolocationSetting": 2,
        "DefaultNotificationsSetting": 2,
        "DefaultPopupsSetting": 2,
        "DefaultSensorsSetting": 2,
        "DefaultSerialGuardSetting": 2,
        "DefaultWebBluetoothGuardSetting": 2,
        "DefaultWebHidGuardSetting": 2,
        "DefaultWebUsbGuardSetting": 2,
        "DownloadRestrictions": 3,
        "ExtensionInstallBlocklist": ["*"],
        "MetricsReportingEnabled": false,
        "NetworkPredictionOptions": 2,
        "PasswordManagerEnabled": false,
        "PrintingEnabled": false,
        "SafeBrowsingProtectionLevel": 0,
        "ScreenCaptureAllowed": false,
        "SearchSuggestEnabled": false,
        "SyncDisabled": true,
        "TranslateEnabled": false,
        "VideoCaptureAllowed": false,
        "WebRtcIPHandling": "disable_non_proxied_udp",
    });
    let name = "chromium/policies/managed/abide.json".to_owned();
    BTreeMap::from([(name, policy.to_string())])
}
