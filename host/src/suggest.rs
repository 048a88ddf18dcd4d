//! "Did you mean …": the nearest of the names that exist.

/// The name in `names` that was most likely meant by `typed`, if one is near enough to be worth a guess.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near_enough = (typed.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (edits(typed, name), name))
        .filter(|(distance, _)| *distance <= near_enough)
        .min()
        .map(|(_, name)| name)
}

/// A clause to put behind an error: ` (did you mean `x`?)`, or what there is where nothing is near.
pub fn hint<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match nearest(typed, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "there is none".to_string(),
        None => format!("there is {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// How many characters to insert, delete or change to get from one to the other (Levenshtein), case aside.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in other.iter().enumerate() {
            let changed = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name() {
        let names = ["matrix", "tictactoe", "spy"];
        assert_eq!(nearest("tictactow", names), Some("tictactoe"));
        assert_eq!(nearest("TicTacToe", names), Some("tictactoe"));
        assert_eq!(nearest("ticktacktoe", names), Some("tictactoe"));
        assert_eq!(nearest("chess", names), None);
    }

    #[test]
    fn without_a_near_name_the_hint_lists_all() {
        assert_eq!(hint("chess", ["spy", "math"]), "there is `spy`, `math`");
        assert_eq!(hint("chess", []), "there is none");
        assert_eq!(hint("spi", ["spy", "math"]), "did you mean `spy`?");
    }
}
