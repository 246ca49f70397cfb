//! Tiles: the tree cut into files of up to 256 hashes, as in C2SP `tlog-tiles`.

use super::{NodeHash, Nodes};

/// One tile of a tree of known size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// Level in tiles: tile level `l` holds the hashes of tree level `8 * l`.
    pub level: u32,
    /// Index within the level.
    pub index: u64,
    /// How many hashes it holds, 1 to 256.
    pub width: u64,
}

/// Every tile of a tree of `size` leaves, partial ones included, lowest level first.
pub fn tiles(size: u64) -> Vec<Tile> {
    let mut all = Vec::new();
    let (mut level, mut count) = (0_u32, size);
    while count > 0 {
        let full = count / 256;
        all.extend((0..full).map(|index| Tile { level, index, width: 256 }));
        if count % 256 != 0 {
            all.push(Tile { level, index: full, width: count % 256 });
        }
        level = level.saturating_add(1);
        count = full;
    }
    all
}

impl Tile {
    /// Path of the file: `tile/<level>/<index>` with `.p/<width>` for a partial one.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, numbered(self.index, self.width))
    }

    /// Path of the file that holds the entries under this tile of level 0.
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}", numbered(self.index, self.width))
    }

    /// The hashes, one after the other.
    pub fn read<N: Nodes>(&self, nodes: &N) -> Result<Vec<u8>, N::Error> {
        let level = self.level.saturating_mul(8);
        let first = self.index.saturating_mul(256);
        let mut bytes = Vec::new();
        for offset in 0..self.width {
            let NodeHash(hash) = nodes.node(level, first.saturating_add(offset))?;
            bytes.extend_from_slice(&hash);
        }
        Ok(bytes)
    }
}

/// Three digits a part, every part but the last marked by `x`: 1234067 is `x001/x234/067`.
fn numbered(index: u64, width: u64) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    if width < 256 {
        text = format!("{text}.p/{width}");
    }
    text
}
