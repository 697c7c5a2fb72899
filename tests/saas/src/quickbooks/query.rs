//! The query language: a subset of SQL, read into a [`Query`].

use super::entity::Entity;
use super::fault::Fault;

const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1000;

/// A query.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) columns: Columns,
    pub(super) entity: Entity,
    /// All must hold; the language has no OR.
    pub(super) conditions: Vec<Condition>,
    pub(super) order: Vec<(String, Direction)>,
    /// Counted from 1.
    pub(super) start: usize,
    pub(super) limit: usize,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Columns {
    All,
    Count,
    Named(Vec<String>),
}

/// Order of the results by one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// One comparison.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) field: String,
    pub(super) operator: Operator,
    /// One value; several for IN.
    pub(super) values: Vec<String>,
}

/// A comparison's operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    In,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

const SIGNS: [&str; 11] = ["<=", ">=", "!=", "<>", "=", "<", ">", "(", ")", ",", "*"];

/// Reads a query.
pub(super) fn parse(text: &str) -> Result<Query, Fault> {
    let mut tokens = Tokens { tokens: tokens(text)?, at: 0 };
    tokens.expect("SELECT")?;
    let columns = tokens.columns()?;
    tokens.expect("FROM")?;
    let name = tokens.word()?;
    let entity = Entity::parse(&name).ok_or_else(|| Fault::query_invalid(format!("value {name} is not an entity")))?;
    let mut query = Query { columns, entity, conditions: Vec::new(), order: Vec::new(), start: 1, limit: DEFAULT_PAGE };
    if tokens.take("WHERE") {
        query.conditions.push(tokens.condition()?);
        while tokens.take("AND") {
            query.conditions.push(tokens.condition()?);
        }
    }
    let ordered = tokens.take("ORDERBY") || (tokens.take("ORDER") && tokens.take("BY"));
    if ordered {
        query.order.push(tokens.ordering()?);
        while tokens.sign(",") {
            query.order.push(tokens.ordering()?);
        }
    }
    if tokens.take("STARTPOSITION") {
        query.start = tokens.count()?.max(1);
    }
    if tokens.take("MAXRESULTS") {
        query.limit = tokens.count()?.min(MAX_PAGE);
    }
    match tokens.next() {
        None => Ok(query),
        Some(token) => Err(encountered(&token)),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (value, after) = quoted(&rest[1..])?;
            found.push(Token::Text(value));
            rest = after;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            let inner = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '+');
            let end = rest.find(|letter| !inner(letter)).unwrap_or(rest.len());
            if end == 0 {
                return Err(Fault::query(format!("Lexical error. Encountered: \"{first}\"")));
            }
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

/// A text up to its closing quote; `\'` is a quote within it.
fn quoted(text: &str) -> Result<(String, &str), Fault> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((value, &text[at + 1..])),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    Err(Fault::query("Lexical error. Encountered: <EOF> within a text"))
}

struct Tokens {
    tokens: Vec<Token>,
    at: usize,
}

impl Tokens {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(sign)) if *sign == wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, keyword: &str) -> Result<(), Fault> {
        if self.take(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), Fault> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Fault {
        self.tokens.get(self.at).map_or_else(|| Fault::query("Encountered \"<EOF>\""), encountered)
    }

    fn word(&mut self) -> Result<String, Fault> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(token) => Err(encountered(&token)),
            None => Err(Fault::query("Encountered \"<EOF>\"")),
        }
    }

    fn columns(&mut self) -> Result<Columns, Fault> {
        if self.sign("*") {
            return Ok(Columns::All);
        }
        if self.take("COUNT") {
            self.expect_sign("(")?;
            self.expect_sign("*")?;
            self.expect_sign(")")?;
            return Ok(Columns::Count);
        }
        let mut named = vec![self.word()?];
        while self.sign(",") {
            named.push(self.word()?);
        }
        Ok(Columns::Named(named))
    }

    fn condition(&mut self) -> Result<Condition, Fault> {
        let field = self.word()?;
        let operator = match self.next() {
            Some(Token::Sign("=")) => Operator::Equal,
            Some(Token::Sign("!=" | "<>")) => Operator::NotEqual,
            Some(Token::Sign("<")) => Operator::Less,
            Some(Token::Sign("<=")) => Operator::LessOrEqual,
            Some(Token::Sign(">")) => Operator::Greater,
            Some(Token::Sign(">=")) => Operator::GreaterOrEqual,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("LIKE") => Operator::Like,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("IN") => Operator::In,
            Some(token) => return Err(encountered(&token)),
            None => return Err(Fault::query("Encountered \"<EOF>\"")),
        };
        if operator != Operator::In {
            return Ok(Condition { field, operator, values: vec![self.value()?] });
        }
        self.expect_sign("(")?;
        let mut values = vec![self.value()?];
        while self.sign(",") {
            values.push(self.value()?);
        }
        self.expect_sign(")")?;
        Ok(Condition { field, operator, values })
    }

    /// A text in quotes, a number, or a truth value; other words need quotes.
    fn value(&mut self) -> Result<String, Fault> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") => Ok(word.to_lowercase()),
            Some(Token::Word(word)) if word.parse::<rust_decimal::Decimal>().is_ok() => Ok(word),
            Some(token) => Err(encountered(&token)),
            None => Err(Fault::query("Encountered \"<EOF>\"")),
        }
    }

    fn ordering(&mut self) -> Result<(String, Direction), Fault> {
        let field = self.word()?;
        let direction = if self.take("DESC") {
            Direction::Down
        } else {
            self.take("ASC");
            Direction::Up
        };
        Ok((field, direction))
    }

    fn count(&mut self) -> Result<usize, Fault> {
        let word = self.word()?;
        word.parse().map_err(|_| encountered(&Token::Word(word)))
    }
}

fn encountered(token: &Token) -> Fault {
    let text = match token {
        Token::Word(word) => word.clone(),
        Token::Text(text) => format!("'{text}'"),
        Token::Sign(sign) => (*sign).to_owned(),
    };
    Fault::query(format!("Encountered \"{text}\" where the query does not allow it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_order_and_page() {
        let query = parse(
            r"select * from Customer where DisplayName = 'Bill\'s Barn' and Active in (true, false) ORDERBY Id DESC startposition 11 MaxResults 10",
        )
        .expect("a good query");
        assert_eq!(query.conditions[0].values, ["Bill's Barn"]);
        assert_eq!(query.conditions[1].values, ["true", "false"]);
        assert_eq!(query.order, [("Id".to_owned(), Direction::Down)]);
        assert_eq!((query.start, query.limit), (11, 10));
    }

    #[test]
    fn what_the_language_lacks_is_refused() {
        for text in [
            "select * from Customer where Id = '1' or Id = '2'",
            "select * from Customer where DisplayName = Bill",
            "select * from Customer where DisplayName = 'Bill's Barn'",
            "select count(*) Customer",
            "delete from Customer",
        ] {
            parse(text).expect_err(text);
        }
    }
}
