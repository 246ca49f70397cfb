use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// Every complete subtree of a tree in memory.
#[derive(Default)]
struct Memory(BTreeMap<(u32, u64), NodeHash>);

impl Nodes for Memory {
    type Error = Infallible;
    fn node(&self, level: u32, index: u64) -> Result<NodeHash, Infallible> {
        Ok(self.0[&(level, index)])
    }
}

fn grow(size: u64) -> (Memory, Vec<NodeHash>) {
    let (mut memory, mut edge) = (Memory::default(), Frontier::default());
    let mut roots = vec![edge.root()];
    for n in 0..size {
        for grown in edge.push(NodeHash::leaf(&n.to_be_bytes())).unwrap() {
            memory.0.insert((grown.level, grown.index), grown.hash);
        }
        roots.push(edge.root());
        assert_eq!(Frontier::load(edge.size(), &memory), Ok(edge.clone()));
    }
    (memory, roots)
}

/// The definition of RFC 6962, section 2.1, word for word.
fn by_definition(leaves: &[u64]) -> NodeHash {
    match leaves {
        [] => NodeHash::empty(),
        [one] => NodeHash::leaf(&one.to_be_bytes()),
        more => {
            let k = (more.len() as u64 - 1).ilog2();
            let (left, right) = more.split_at(1 << k);
            NodeHash::pair(&by_definition(left), &by_definition(right))
        }
    }
}

#[test]
fn the_growing_edge_agrees_with_the_definition() {
    let (memory, roots) = grow(70);
    for size in 0..=70_u64 {
        let leaves: Vec<u64> = (0..size).collect();
        assert_eq!(roots[size as usize], by_definition(&leaves));
        assert_eq!(root_of(size, &memory), Ok(roots[size as usize]));
    }
}

#[test]
fn every_proof_of_a_small_tree_convinces_and_no_neighbour_does() {
    let (memory, roots) = grow(40);
    for size in 1..=40_u64 {
        let root = roots[size as usize];
        for index in 0..size {
            let proof = inclusion(index, size, &memory).unwrap().unwrap();
            let leaf = NodeHash::leaf(&index.to_be_bytes());
            assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()));
            if size > 1 {
                assert!(verify_inclusion((index + 1) % size, size, &leaf, &proof, &root).is_err());
            }
        }
        for old in 1..=size {
            let proof = consistency(old, size, &memory).unwrap().unwrap();
            assert_eq!(
                verify_consistency(old, size, &proof, &roots[old as usize], &root),
                Ok(()),
                "{old} {size}"
            );
        }
    }
    assert_eq!(inclusion(3, 3, &memory), Ok(None));
    assert_eq!(consistency(0, 3, &memory), Ok(None));
}

#[test]
fn tiles_are_named_and_filled_as_c2sp_says() {
    let names: Vec<String> = tiles(70_000).iter().filter(|tile| tile.width < 256).map(Tile::path).collect();
    assert_eq!(names, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    assert_eq!(Tile { level: 0, index: 1_234_067, width: 256 }.path(), "tile/0/x001/x234/067");
    assert_eq!(Tile { level: 0, index: 0, width: 3 }.entries_path(), "tile/entries/000.p/3");
    let (memory, _) = grow(300);
    let all = tiles(300);
    assert_eq!(all.len(), 3);
    let leaves = all[0].read(&memory).unwrap();
    assert_eq!(leaves.len(), 256 * 32);
    assert_eq!(NodeHash::from_slice(&leaves[32..64]), Some(NodeHash::leaf(&1_u64.to_be_bytes())));
    assert_eq!(all[2].read(&memory).unwrap(), memory.0[&(8, 0)].0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_changed_proof_never_convinces(size in 2_u64..200, at in any::<prop::sample::Index>(), which in any::<prop::sample::Index>(), bit in 0_usize..256) {
        let (memory, roots) = grow(size);
        let index = at.index(size as usize) as u64;
        let root = roots[size as usize];
        let leaf = NodeHash::leaf(&index.to_be_bytes());
        let mut proof = inclusion(index, size, &memory).unwrap().unwrap();
        let broken = which.index(proof.len());
        proof[broken].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(verify_inclusion(index, size, &leaf, &proof, &root).is_err());
        proof[broken].0[bit / 8] ^= 1 << (bit % 8);
        proof.push(leaf);
        prop_assert!(verify_inclusion(index, size, &leaf, &proof, &root).is_err());
        let old = index + 1;
        let mut proof = consistency(old, size, &memory).unwrap().unwrap();
        if !proof.is_empty() {
            let broken = which.index(proof.len());
            proof[broken].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_consistency(old, size, &proof, &roots[old as usize], &root).is_err());
        }
    }
}

/// Every inclusion and consistency vector of transparency-dev/merkle, where they are present.
#[test]
fn agrees_with_the_vectors_of_another_implementation() {
    let Some(archive) = crate::testing::shared("vectors/rfc6962.tar.gz") else { return };
    let folder = tempfile::tempdir().unwrap();
    crate::testing::untar(&archive, folder.path());
    let mut seen = 0;
    let mut queue = vec![folder.path().to_owned()];
    while let Some(next) = queue.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                queue.push(path);
            } else if path.extension().is_some_and(|ext| ext == "json") {
                check_vector(&path);
                seen += 1;
            }
        }
    }
    assert!(seen > 150, "only {seen} vectors");
}

fn check_vector(path: &Path) {
    let vector: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    // Some vectors carry a root that is no hash: any stand-in that depends on its text alone is as good.
    let hash = |name: &str| {
        vector[name]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(|text| NodeHash::from_base64(text).unwrap_or_else(|| NodeHash::leaf(text.as_bytes())))
    };
    let number = |name: &str| vector[name].as_u64().unwrap();
    let proof: Option<Vec<NodeHash>> = vector["proof"].as_array().map_or(Some(Vec::new()), |all| {
        all.iter().map(|one| NodeHash::from_base64(one.as_str().unwrap())).collect()
    });
    let accepted = if vector.get("leafIdx").is_some() {
        (|| {
            verify_inclusion(
                number("leafIdx"),
                number("treeSize"),
                &hash("leafHash")?,
                proof.as_ref()?,
                &hash("root")?,
            )
            .ok()
        })()
    } else {
        (|| {
            verify_consistency(
                number("size1"),
                number("size2"),
                proof.as_ref()?,
                &hash("root1")?,
                &hash("root2")?,
            )
            .ok()
        })()
    };
    assert_eq!(accepted.is_some(), !vector["wantErr"].as_bool().unwrap(), "{}", path.display());
}
