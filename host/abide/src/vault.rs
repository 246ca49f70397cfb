//! The vault of a repository: secrets by name, in a file of the state folder that is sealed to a key beside it.
//!
//! The key keeps secrets out of backups and of what is copied by mistake, not from who can read the state folder. A secret may also be left where it is: in
//! a variable of the environment, or with a program that is asked for it, once for each lease, and that may mint one for just this errand. Then the vault has
//! the variable's name, or the program's.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use abide_effects::egress::vault::helper::Helper;
use abide_effects::egress::vault::{Errand, Secret, Vault, VaultError, is_name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};

use crate::config::env::Env;
use crate::home::State;
use crate::report::{Exit, Failure};
use crate::wiring;

const FILE: &str = "vault.json";
const KEY: &str = "vault.key";
const SCHEMA: &str = "abide.vault/1";
/// LIMIT: bytes of a secret.
pub(crate) const SECRET_BYTES_MAX: usize = 16 << 10;

/// LIMIT: how long a helper may take.
const HELPER_PATIENCE: Duration = Duration::from_secs(10);

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    schema: String,
    secrets: BTreeMap<String, Entry>,
}

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "in", deny_unknown_fields)]
enum Entry {
    /// Here: nonce and ciphertext (XChaCha20-Poly1305; the name is authenticated with it), in base64.
    File { sealed: String },
    /// In the environment of `ab`.
    Environment { variable: String },
    /// With a program.
    Helper { argv: Vec<String> },
}

/// Where a secret is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Sealed in the vault's file.
    File,
    /// In a variable.
    Environment(String),
    /// With a program.
    Helper(Vec<String>),
}

/// The vault of one repository.
#[derive(Debug, Clone)]
pub(crate) struct FileVault {
    state: State,
    file: PathBuf,
    /// What helpers gave. A vault is opened for one lease, and this ends with it.
    minted: Arc<Mutex<BTreeMap<(String, Errand), Secret>>>,
}

impl FileVault {
    /// The vault beside the log of `state`. It need not be there yet.
    pub(crate) fn of(state: &State) -> Self {
        Self { state: state.clone(), file: state.folder.join(FILE), minted: Arc::default() }
    }

    /// Names, and where each secret is.
    pub(crate) fn list(&self) -> Result<BTreeMap<String, Place>, Failure> {
        let places = self.read()?.secrets.into_iter().map(|(name, entry)| match entry {
            Entry::File { .. } => (name, Place::File),
            Entry::Environment { variable } => (name, Place::Environment(variable)),
            Entry::Helper { argv } => (name, Place::Helper(argv)),
        });
        Ok(places.collect())
    }

    /// Keeps `secret` under `name`, in place of the one before. Says whether there was one.
    pub(crate) fn set(&self, name: &str, secret: &Secret) -> Result<bool, Failure> {
        if secret.expose().is_empty() || secret.expose().len() > SECRET_BYTES_MAX {
            let what = format!(
                "a secret has 1 to {SECRET_BYTES_MAX} bytes, and this one has {}",
                secret.expose().len()
            );
            return Err(Failure::new("AB0920", what).help("give it on standard input").exit(Exit::Usage));
        }
        let sealed = self.seal(name, secret)?;
        self.put(name, Entry::File { sealed })
    }

    /// Has `name` stand for a variable of the environment. Says whether there was one of that name.
    pub(crate) fn set_variable(&self, name: &str, variable: &str) -> Result<bool, Failure> {
        self.put(name, Entry::Environment { variable: variable.to_owned() })
    }

    /// Has `name` be asked of a program. Says whether there was one of that name.
    pub(crate) fn set_helper(&self, name: &str, argv: &[String]) -> Result<bool, Failure> {
        if !argv.first().is_some_and(|program| program.starts_with('/')) {
            return Err(Failure::new("AB0920", "a helper is named by its whole path")
                .help("for example ab secret set ci-token -- /usr/local/bin/mint --role ci")
                .exit(Exit::Usage));
        }
        self.put(name, Entry::Helper { argv: argv.to_vec() })
    }

    /// What its helper says, once for each errand of this lease.
    fn minted(&self, name: &str, argv: &[String], errand: &Errand) -> Result<Secret, VaultError> {
        let mut minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), errand.clone());
        if let Some(secret) = minted.get(&key) {
            return Ok(secret.clone());
        }
        let env = Env::read();
        let home = env.picked(&["HOME".to_owned()]).remove("HOME").unwrap_or_default();
        let environment = [("PATH", env.path.clone()), ("HOME", home)];
        let helper = Helper { argv, environment: &environment, patience: HELPER_PATIENCE };
        let secret = helper.ask(name, errand)?;
        minted.insert(key, secret.clone());
        Ok(secret)
    }

    /// Forgets a secret.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        let mut stored = self.read()?;
        if stored.secrets.remove(name).is_none() {
            return Err(Failure::new("AB0921", "there is no secret of that name")
                .help("ab secret list shows the names")
                .exit(Exit::Usage));
        }
        self.write(&stored)
    }

    fn put(&self, name: &str, entry: Entry) -> Result<bool, Failure> {
        if !is_name(name) {
            return Err(Failure::new(
                "AB0920",
                "the name of a secret is made of a-z, 0-9, `-` and `.`, and begins with a letter",
            )
            .help("for example ab secret set hook-token")
            .exit(Exit::Usage));
        }
        let mut stored = self.read()?;
        let was = stored.secrets.insert(name.to_owned(), entry).is_some();
        self.write(&stored)?;
        Ok(was)
    }

    fn cipher(&self) -> Result<XChaCha20Poly1305, Failure> {
        Ok(XChaCha20Poly1305::new(&self.state.secret(KEY)?.into()))
    }

    fn seal(&self, name: &str, secret: &Secret) -> Result<String, Failure> {
        let nonce = wiring::entropy::<24>()?;
        let payload = Payload { msg: secret.expose(), aad: &beside(name) };
        let sealed = self.cipher()?.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Failure::new("AB0922", "the secret could not be sealed"))?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    fn unseal(&self, name: &str, sealed: &str) -> Result<Secret, VaultError> {
        let damaged = || VaultError("it does not fit the vault's key; set it again".to_owned());
        let bytes = STANDARD.decode(sealed).map_err(|_| damaged())?;
        let (nonce, sealed) = bytes.split_first_chunk::<24>().ok_or_else(damaged)?;
        let cipher = self.cipher().map_err(|_| VaultError("the vault's key cannot be read".to_owned()))?;
        let payload = Payload { msg: sealed, aad: &beside(name) };
        cipher.decrypt(&XNonce::from(*nonce), payload).map(Secret::new).map_err(|_| damaged())
    }

    fn read(&self) -> Result<Stored, Failure> {
        let bytes = match fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Stored { schema: SCHEMA.to_owned(), ..Stored::default() });
            }
            Err(error) => return Err(Failure::of("AB0922", error).help(self.help())),
        };
        let stored: Stored =
            serde_json::from_slice(&bytes).map_err(|error| Failure::of("AB0922", error).help(self.help()))?;
        if stored.schema != SCHEMA {
            return Err(
                Failure::new("AB0922", "the vault was written by another version of ab").help(self.help())
            );
        }
        Ok(stored)
    }

    fn write(&self, stored: &Stored) -> Result<(), Failure> {
        let fault = |error: std::io::Error| Failure::of("AB0922", error).help(self.help());
        let bytes = serde_json::to_vec_pretty(stored).map_err(|error| Failure::of("AB0124", error))?;
        let mode = fs::Permissions::from_mode(0o600);
        let mut fresh =
            tempfile::Builder::new().permissions(mode).tempfile_in(&self.state.folder).map_err(fault)?;
        fresh.write_all(&bytes).and_then(|()| fresh.as_file().sync_all()).map_err(fault)?;
        fresh.persist(&self.file).map_err(|error| fault(error.error))?;
        Ok(())
    }

    fn help(&self) -> String {
        format!("{} is the vault of this repository", self.file.display())
    }
}

/// What is authenticated with a secret: a name that was changed in the file opens nothing.
fn beside(name: &str) -> Vec<u8> {
    format!("{SCHEMA}\0{name}").into_bytes()
}

impl Vault for FileVault {
    fn open(&self, name: &str, errand: &Errand) -> Result<Secret, VaultError> {
        let stored = self.read().map_err(|failure| VaultError(failure.what.clone()))?;
        match stored.secrets.get(name) {
            None => Err(VaultError("there is no secret of that name".to_owned())),
            Some(Entry::File { sealed }) => self.unseal(name, sealed),
            Some(Entry::Helper { argv }) => self.minted(name, argv, errand),
            Some(Entry::Environment { variable }) => {
                let mut found = Env::read().picked([variable]);
                let value = found.remove(variable);
                value
                    .map(|value| Secret::new(value.into_bytes()))
                    .ok_or_else(|| VaultError(format!("the variable `{variable}` is not set")))
            }
        }
    }
}

#[cfg(test)]
mod tests;
