//! Keys of people who sign policy, in the state folder: `keys/ROLE/NAME.pem`, for the owner's eyes only.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

use abide_ledger::dsse::SecretKey;

use crate::bundles::Role;
use crate::bundles::signers::is_person;
use crate::home::{Home, private_folder};
use crate::report::{Exit, Failure};
use crate::wiring;

/// Name of a key: the role that it is for, and the person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyName {
    /// The role.
    pub(crate) role: Role,
    /// The person.
    pub(crate) person: String,
}

impl std::str::FromStr for KeyName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (role, person) = text.split_once('/').ok_or("ROLE/NAME is expected, for example rules/alice")?;
        if !is_person(person) {
            return Err("a name has 1 to 100 lower-case letters, digits, `.`, `_`, `@` and `-`".to_owned());
        }
        Ok(Self { role: role.parse()?, person: person.to_owned() })
    }
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.role, self.person)
    }
}

/// The folder of the keys.
#[derive(Debug)]
pub(crate) struct Keys(PathBuf);

/// What a key file is called behind the name.
const ENDING: &str = ".pem";

impl Keys {
    /// The keys of this user.
    pub(crate) fn of(home: &Home) -> Self {
        Self(home.keys())
    }

    /// Where a key lies.
    pub(crate) fn file(&self, name: &KeyName) -> PathBuf {
        self.0.join(name.role.name()).join(format!("{}{ENDING}", name.person))
    }

    /// Makes a key. One that is there stays as it is.
    pub(crate) fn create(&self, name: &KeyName) -> Result<SecretKey, Failure> {
        private_folder(&self.0.join(name.role.name()))?;
        let file = self.file(name);
        let key = SecretKey::from_seed(&wiring::entropy::<32>()?);
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
        let written = made.and_then(|mut out| {
            out.write_all(key.to_pem().as_bytes())?;
            out.sync_all()
        });
        written.map_err(|error| {
            let help = if error.kind() == std::io::ErrorKind::AlreadyExists {
                "a key is never written over: choose another name".to_owned()
            } else {
                format!("{} could not be written", file.display())
            };
            Failure::of("AB0261", error).help(help)
        })?;
        Ok(key)
    }

    /// Reads a key. Refuses one that others may read.
    pub(crate) fn open(&self, name: &KeyName) -> Result<SecretKey, Failure> {
        let file = self.file(name);
        let missing = |error: std::io::Error| {
            Failure::of("AB0261", error)
                .help(format!("{} cannot be read; ab keys init --name {name} makes a key", file.display()))
                .exit(Exit::Usage)
        };
        let mode = fs::metadata(&file).map_err(missing)?.permissions().mode();
        if mode & 0o077 != 0 {
            let what = format!("others may read `{}` (mode {:o})", file.display(), mode & 0o777);
            return Err(Failure::new("AB0261", what).help(format!("chmod 600 {}", file.display())));
        }
        let text = fs::read_to_string(&file).map_err(missing)?;
        SecretKey::from_pem(&text).map_err(|error| {
            Failure::of("AB0261", error).help(format!("{} is no key that ab made", file.display()))
        })
    }

    /// Names of the keys that are here, sorted.
    pub(crate) fn list(&self) -> Vec<KeyName> {
        let mut names = Vec::new();
        for role in Role::ALL {
            let Ok(entries) = fs::read_dir(self.0.join(role.name())) else { continue };
            names.extend(entries.flatten().filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let person = name.strip_suffix(ENDING).filter(|person| is_person(person))?;
                Some(KeyName { role, person: person.to_owned() })
            }));
        }
        names.sort();
        names
    }
}
