//! What the README, the compose file and the manifests tell people to type exists, with every flag.

mod support;

use support::command::run;

fn read(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Asserts that the command named by the first words exists and has every flag that follows.
fn is_understood<'a>(words: impl IntoIterator<Item = &'a str>, place: &str) {
    let words: Vec<&str> = words.into_iter().collect();
    let depth = if ["jobs", "workers", "projects", "limits", "tokens"].contains(&words[0]) { 2 } else { 1 };
    let help = run(words[..depth].iter().copied().chain(["--help"])).succeeded().stdout;
    let known: Vec<&str> = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
    for word in words.iter().filter(|word| word.starts_with("--")) {
        let flag = word.split('=').next().unwrap_or(word);
        assert!(known.contains(&flag), "{place}: `mixdown {}` knows no {flag}", words[..depth].join(" "));
    }
}

#[test]
fn the_readme_tells_commands_that_exist() {
    let readme = read("README.md");
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("mixdown ")).collect();
    assert!(commands.len() >= 10, "{commands:?}");
    for command in commands {
        is_understood(command.split('#').next().unwrap_or(command).split_whitespace(), "README.md");
    }
}

#[test]
fn the_manifests_start_the_binary_with_flags_that_it_has() {
    for place in ["deploy/kubernetes/coordinator.yaml", "deploy/kubernetes/worker.yaml"] {
        let text = read(place);
        let arguments = text.lines().map(str::trim).skip_while(|line| *line != "args:").skip(1);
        let words: Vec<&str> = arguments.map_while(|line| line.strip_prefix("- ")).collect();
        assert!(words.len() >= 4, "{place}: {words:?}");
        is_understood(words, place);
    }
}

#[test]
fn the_compose_file_starts_the_binary_with_flags_that_it_has() {
    let text = read("deploy/compose.yaml");
    let commands = text.lines().filter_map(|line| line.trim().strip_prefix("command: ["));
    let ours: Vec<&str> = commands.filter(|line| line.contains("coordinator\"") || line.contains("worker\"")).collect();
    assert_eq!(ours.len(), 2, "{ours:?}");
    for line in ours {
        is_understood(line.split(['"', ',', ']', ' ']).filter(|word| !word.is_empty()), "deploy/compose.yaml");
    }
}
