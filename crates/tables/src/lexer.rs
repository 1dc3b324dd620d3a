//! The tokens of a cell, each with the character it begins at.

use crate::error::{CellDefect, CellError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A number or date as written; the column's kind reads it.
    Literal(String),
    Text(String),
    Word(String),
    AtLeast,
    AtMost,
    Above,
    Below,
    Dots,
    Comma,
    Dash,
    OpenRound,
    CloseRound,
    OpenSquare,
    CloseSquare,
}

/// A token and its first character, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) at: usize,
}

/// Splits a cell. Full-width punctuation is read as its ASCII twin: officers type both.
pub(crate) fn lex(text: &str) -> Result<Vec<Spanned>, CellError> {
    let chars: Vec<char> = text.chars().collect();
    let peek = |index: usize| chars.get(index).copied();
    let mut tokens = Vec::new();
    let mut next = 0;
    while let Some(c) = peek(next) {
        let start = next;
        next += 1;
        let token = match c {
            ' ' | '\t' | '\n' | '\r' | '\u{3000}' => continue,
            '(' | '（' => Token::OpenRound,
            ')' | '）' => Token::CloseRound,
            '[' => Token::OpenSquare,
            ']' => Token::CloseSquare,
            ',' | '，' => Token::Comma,
            '≥' => Token::AtLeast,
            '≤' => Token::AtMost,
            '>' | '<' => {
                let equal = peek(next) == Some('=');
                next += usize::from(equal);
                match (c, equal) {
                    ('>', true) => Token::AtLeast,
                    ('>', false) => Token::Above,
                    (_, true) => Token::AtMost,
                    (_, false) => Token::Below,
                }
            }
            '.' if peek(next) == Some('.') => {
                next += 1;
                Token::Dots
            }
            '"' | '“' | '”' => {
                let mut content = String::new();
                loop {
                    match peek(next) {
                        None => {
                            return Err(CellError {
                                character: start + 1,
                                defect: CellDefect::UnclosedText,
                            });
                        }
                        Some('"' | '“' | '”') => break,
                        Some(other) => content.push(other),
                    }
                    next += 1;
                }
                next += 1;
                Token::Text(content)
            }
            '-' if !peek(next).is_some_and(|c| c.is_ascii_digit()) => Token::Dash,
            '-' | '0'..='9' => {
                let inside = |index: usize| match peek(index) {
                    Some('0'..='9') => true,
                    Some('.' | '-') => peek(index + 1).is_some_and(|c| c.is_ascii_digit()),
                    Some(_) | None => false,
                };
                while inside(next) {
                    next += 1;
                }
                Token::Literal(chars[start..next].iter().collect())
            }
            c if c.is_alphabetic() || c == '_' => {
                while peek(next).is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
                    next += 1;
                }
                Token::Word(chars[start..next].iter().collect())
            }
            other => {
                let defect = CellDefect::Unexpected {
                    found: other.to_string(),
                    expected: "a test such as >=90, [60..80), \"A\",\"B\", not(…), contains(…) or -",
                };
                return Err(CellError {
                    character: start + 1,
                    defect,
                });
            }
        };
        tokens.push(Spanned { token, at: start + 1 });
    }
    Ok(tokens)
}

impl Token {
    pub(crate) fn word(&self) -> Option<&str> {
        if let Token::Word(word) = self {
            Some(word)
        } else {
            None
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Token::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// As written, for messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Token::Literal(raw) | Token::Word(raw) => raw.clone(),
            Token::Text(content) => format!("\"{content}\""),
            Token::AtLeast => ">=".to_owned(),
            Token::AtMost => "<=".to_owned(),
            Token::Above => ">".to_owned(),
            Token::Below => "<".to_owned(),
            Token::Dots => "..".to_owned(),
            Token::Comma => ",".to_owned(),
            Token::Dash => "-".to_owned(),
            Token::OpenRound => "(".to_owned(),
            Token::CloseRound => ")".to_owned(),
            Token::OpenSquare => "[".to_owned(),
            Token::CloseSquare => "]".to_owned(),
        }
    }
}
