//! The shape of the workspace: who may depend on whom, and under which licences and from where.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Metadata, MetadataCommand};

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .exec()
        .expect("cargo describes the workspace")
}

#[test]
fn dependencies_between_our_crates_run_in_one_direction() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("mixdown-dsp", &[] as &[&str]),
        ("mixdown-proto", &[]),
        ("mixdown-coordinator", &["mixdown-dsp", "mixdown-proto"]),
        ("mixdown-worker", &["mixdown-dsp", "mixdown-proto"]),
        ("mixdown", &["mixdown-coordinator", "mixdown-dsp", "mixdown-proto", "mixdown-worker"]),
    ]);
    let metadata = metadata();
    let mut seen = BTreeSet::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in the design"));
        for dependency in &package.dependencies {
            let ours = dependency.name.starts_with("mixdown");
            assert!(!ours || allowed.contains(&dependency.name.as_str()), "{name} depends on {}", dependency.name);
        }
        seen.insert(name);
    }
    assert_eq!(seen, allowed.keys().copied().collect());
}

/// The sound engine is pure: nothing in it may reach for a network, a runtime or a database.
#[test]
fn the_sound_engine_depends_on_no_runtime() {
    let metadata = metadata();
    let dsp = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == "mixdown-dsp").unwrap();
    for banned in ["tokio", "tonic", "sqlx", "object_store", "rayon", "rand", "rustfft", "rubato", "ebur128"] {
        assert!(dsp.dependencies.iter().all(|dependency| dependency.name != banned), "dsp depends on {banned}");
    }
}

#[test]
fn only_coordinator_knows_sql() {
    for package in metadata().workspace_packages() {
        let uses_sql = package
            .dependencies
            .iter()
            .any(|dependency| dependency.name == "sqlx" && dependency.kind == cargo_metadata::DependencyKind::Normal);
        assert_eq!(uses_sql, package.name.as_str() == "mixdown-coordinator", "{}", package.name);
    }
}

/// What may be under a copyleft licence, and the feature of the sound engine without which it is no part of the program.
const COPYLEFT: &[(&str, &str, &str)] = &[("mp3lame-encoder", "LGPL-3.0", "mp3"), ("mp3lame-sys", "LGPL-3.0", "mp3")];

#[test]
fn copyleft_stays_behind_a_feature_that_is_off() {
    let metadata = metadata();
    for package in &metadata.packages {
        let known = COPYLEFT.iter().find(|(name, ..)| *name == package.name.as_str());
        let listed = known.is_some_and(|(_, licence, _)| package.license.as_deref() == Some(licence));
        let licence = package.license.as_deref().unwrap_or_default();
        assert!(listed || known.is_none(), "{} is under {licence:?}", package.name);
    }
    for package in metadata.workspace_packages() {
        for (name, _, feature) in COPYLEFT {
            for dependency in package.dependencies.iter().filter(|dependency| dependency.name == *name) {
                assert!(dependency.optional, "{} cannot be built without {name}", package.name);
                let enabling: Vec<&str> = package
                    .features
                    .iter()
                    .filter(|(_, enables)| enables.iter().any(|enabled| *enabled == format!("dep:{name}")))
                    .map(|(feature, _)| feature.as_str())
                    .collect();
                assert_eq!(enabling, [*feature], "{}", package.name);
            }
        }
        let default = package.features.get("default");
        assert!(default.is_none_or(Vec::is_empty), "{} switches on {default:?} by default", package.name);
    }
}

/// The parts of the default program under the MPL-2.0, as `docs/files.md` names them: unmodified, each file under its own licence.
const UNDER_THE_MPL: &[&str] = &[
    "symphonia",
    "symphonia-bundle-flac",
    "symphonia-bundle-mp3",
    "symphonia-codec-aac",
    "symphonia-codec-alac",
    "symphonia-codec-pcm",
    "symphonia-codec-vorbis",
    "symphonia-common",
    "symphonia-core",
    "symphonia-format-caf",
    "symphonia-format-isomp4",
    "symphonia-format-ogg",
    "symphonia-format-riff",
    "symphonia-metadata",
];

/// Licences beyond MIT, Apache-2.0 and BSD without whose choice the default program cannot be had.
const BEYOND_THE_USUAL: &[&str] = &["CDLA-Permissive-2.0", "ISC", "MPL-2.0", "Unicode-3.0", "Zlib"];

/// The packages that are linked into the program on Linux when it is built without features.
fn parts_of_the_default_program() -> Vec<cargo_metadata::Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .other_options(["--filter-platform".to_owned(), "x86_64-unknown-linux-gnu".to_owned()])
        .exec()
        .expect("cargo describes the workspace");
    let resolve = metadata.resolve.as_ref().expect("cargo resolves the workspace");
    let program = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == "mixdown");
    let (mut ahead, mut found) = (vec![program.expect("the program is in the workspace").id.clone()], BTreeSet::new());
    while let Some(id) = ahead.pop() {
        let node = resolve.nodes.iter().find(|node| node.id == id).expect("what is depended on is resolved");
        let normal = node.deps.iter().filter(|dependency| {
            dependency.dep_kinds.iter().any(|kind| kind.kind == cargo_metadata::DependencyKind::Normal)
        });
        if found.insert(id) {
            ahead.extend(normal.map(|dependency| dependency.pkg.clone()));
        }
    }
    metadata.packages.into_iter().filter(|package| found.contains(&package.id)).collect()
}

#[test]
fn the_documents_name_every_licence_of_the_default_program_and_what_is_under_the_mpl() {
    let (mut licences, mut under_the_mpl) = (BTreeSet::new(), BTreeSet::new());
    for package in parts_of_the_default_program() {
        assert!(!COPYLEFT.iter().any(|(name, ..)| *name == package.name.as_str()), "{} by default", package.name);
        let licence = package.license.clone().unwrap_or_default().replace('/', " OR ");
        if licence.contains("MPL") {
            under_the_mpl.insert(package.name.to_string());
        }
        // Of alternatives, one of the usual is taken where there is one.
        for term in licence.split(" AND ") {
            let choices: Vec<&str> = term.split(" OR ").map(|choice| choice.trim_matches(['(', ')', ' '])).collect();
            let usual = ["MIT", "Apache-2.0"].iter().any(|usual| choices.contains(usual));
            if !usual && !choices[0].starts_with("BSD-") {
                licences.insert(choices[0].to_owned());
            }
        }
    }
    assert_eq!(under_the_mpl.iter().map(String::as_str).collect::<Vec<_>>(), UNDER_THE_MPL);
    assert_eq!(licences.iter().map(String::as_str).collect::<Vec<_>>(), BEYOND_THE_USUAL);
    let documents = include_str!("../docs/files.md");
    let section = documents.split("\n## ").find(|section| section.starts_with("Licences\n")).unwrap_or_default();
    for name in BEYOND_THE_USUAL.iter().chain(&["symphonia", "mp3lame-sys", "LGPL-3.0", "`mp3`"]) {
        assert!(section.contains(name), "docs/files.md says nothing of {name} under \"Licences\"");
    }
}

#[test]
fn every_dependency_comes_from_the_registry_under_a_licence_we_accept() {
    const ACCEPTED: &[&str] = &[
        "MIT",
        "MIT-0",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-1-Clause",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CDLA-Permissive-2.0",
        "ISC",
        "MPL-2.0",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
        "0BSD",
    ];
    let metadata = metadata();
    let ours: BTreeSet<_> = metadata.workspace_members.iter().collect();
    let mut faults = Vec::new();
    for package in metadata.packages.iter().filter(|package| !ours.contains(&package.id)) {
        let source = package.source.as_ref().map(ToString::to_string).unwrap_or_default();
        if !source.starts_with("registry+") {
            faults.push(format!("{} {} comes from {source:?}", package.name, package.version));
        }
        let licence = package.license.as_deref().unwrap_or("");
        // Enough of SPDX: every term of AND must hold, one alternative of OR is enough; `/` is the old way to write OR.
        let holds = licence.replace('/', " OR ").split(" AND ").all(|term| {
            term.trim_matches(['(', ')', ' '])
                .split(" OR ")
                .any(|alternative| ACCEPTED.contains(&alternative.trim().trim_matches(['(', ')'])))
        });
        let behind_a_feature =
            COPYLEFT.iter().any(|(name, known, _)| *name == package.name.as_str() && *known == licence);
        if !holds && !behind_a_feature {
            faults.push(format!("{} {} is under {licence:?}", package.name, package.version));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
