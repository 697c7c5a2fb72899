//! SOQL: a query's text to its parts. The part of the language that integrations use; the rest is refused.

use super::refusal::Refusal;

mod token;

use token::{Kind, Token};

/// Deepest nesting of parentheses and NOT.
const MAX_DEPTH: usize = 20;

/// A query.
#[derive(Debug, PartialEq)]
pub struct Query {
    /// What is shown of each record.
    pub columns: Columns,
    /// Object name.
    pub object: Name,
    /// Which records.
    pub filter: Option<Filter>,
    /// In which order.
    pub order: Vec<Order>,
    /// How many.
    pub limit: Option<usize>,
    /// After how many.
    pub offset: usize,
}

/// What is shown.
#[derive(Debug, PartialEq)]
pub enum Columns {
    /// Only the number of records.
    Count,
    /// These fields.
    Paths(Vec<Path>),
}

/// A name and where it stands, for error texts.
#[derive(Debug, PartialEq)]
pub struct Name {
    /// As written.
    pub text: String,
    /// Offset in characters.
    pub at: usize,
}

/// A field, or a field of a related record: `Contact.Name`.
#[derive(Debug, PartialEq)]
pub struct Path {
    /// Relationships, and then the field.
    pub names: Vec<String>,
    /// Offset in characters.
    pub at: usize,
}

/// A condition.
#[derive(Debug, PartialEq)]
pub enum Filter {
    /// AND.
    All(Vec<Filter>),
    /// OR.
    Any(Vec<Filter>),
    /// NOT.
    Not(Box<Filter>),
    /// A comparison.
    Compare {
        /// The field.
        path: Path,
        /// How.
        by: Operator,
        /// With what: one value, or several for IN.
        with: Vec<Literal>,
    },
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Is,
    /// `!=` or `<>`
    IsNot,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `LIKE`
    Like,
    /// `IN`
    In,
    /// `NOT IN`
    NotIn,
}

/// A value in a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Quoted text.
    Text(Text),
    /// Digits.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// `null`.
    Null,
    /// A day, as written.
    Date(String),
    /// An instant, as written.
    DateTime(String),
}

/// Quoted text, in which LIKE must know an escaped `%` from a wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub Vec<Glyph>);

/// A character of quoted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    /// As it stands.
    Plain(char),
    /// After a backslash.
    Escaped(char),
}

impl Text {
    /// The characters.
    pub fn text(&self) -> String {
        self.0.iter().map(|(Glyph::Plain(c) | Glyph::Escaped(c))| *c).collect()
    }
}

/// One key to sort by.
#[derive(Debug, PartialEq)]
pub struct Order {
    /// The field.
    pub path: Path,
    /// `DESC`.
    pub descending: bool,
    /// `NULLS LAST`.
    pub nulls_last: bool,
}

/// Reads a query.
pub fn parse(soql: &str) -> Result<Query, Refusal> {
    let tokens = token::read(soql)?;
    Parser { soql, tokens, next: 0, depth: 0 }.query()
}

/// Words an error as the vendor does, under the place in the query.
pub fn refused(code: &'static str, soql: &str, at: usize, message: &str) -> Refusal {
    let start = at.saturating_sub(20);
    let line: String = soql.chars().skip(start).take(40).collect();
    let caret = " ".repeat(at - start);
    Refusal::bad(code, format!("\n{line}\n{caret}^\nERROR at Row:1:Column:{}\n{message}", at + 1))
}

struct Parser<'a> {
    soql: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn query(mut self) -> Result<Query, Refusal> {
        self.expect_word("SELECT")?;
        let columns = self.columns()?;
        self.expect_word("FROM")?;
        let (text, at) = self.name()?;
        let mut query = Query { columns, object: Name { text, at }, filter: None, order: Vec::new(), limit: None, offset: 0 };
        if self.word("WHERE") {
            query.filter = Some(self.filter()?);
        }
        if self.word("ORDER") {
            self.expect_word("BY")?;
            loop {
                query.order.push(self.order()?);
                if !self.symbol(",") {
                    break;
                }
            }
        }
        if self.word("LIMIT") {
            query.limit = Some(self.count()?);
        }
        if self.word("OFFSET") {
            query.offset = self.count()?;
        }
        if self.next < self.tokens.len() { Err(self.unexpected()) } else { Ok(query) }
    }

    fn columns(&mut self) -> Result<Columns, Refusal> {
        let first = self.path()?;
        if first.names.len() == 1 && first.names[0].eq_ignore_ascii_case("COUNT") && self.symbol("(") {
            self.expect_symbol(")")?;
            return Ok(Columns::Count);
        }
        let mut paths = vec![first];
        while self.symbol(",") {
            paths.push(self.path()?);
        }
        Ok(Columns::Paths(paths))
    }

    /// Conditions joined by AND, or by OR; a mixture needs parentheses, as in the vendor's grammar.
    fn filter(&mut self) -> Result<Filter, Refusal> {
        let first = self.condition()?;
        let joined_by = ["AND", "OR"].into_iter().find(|word| self.peek_word(word));
        let Some(joined_by) = joined_by else {
            return Ok(first);
        };
        let mut conditions = vec![first];
        while self.word(joined_by) {
            conditions.push(self.condition()?);
        }
        if self.peek_word("AND") || self.peek_word("OR") {
            return Err(self.unexpected());
        }
        Ok(if joined_by == "AND" { Filter::All(conditions) } else { Filter::Any(conditions) })
    }

    fn condition(&mut self) -> Result<Filter, Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.unexpected());
        }
        let condition = if self.word("NOT") {
            Filter::Not(Box::new(self.condition()?))
        } else if self.symbol("(") {
            let inner = self.filter()?;
            self.expect_symbol(")")?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Filter, Refusal> {
        let path = self.path()?;
        let by = self.operator()?;
        let with = if matches!(by, Operator::In | Operator::NotIn) {
            self.expect_symbol("(")?;
            let mut list = vec![self.literal()?];
            while self.symbol(",") {
                list.push(self.literal()?);
            }
            self.expect_symbol(")")?;
            list
        } else {
            vec![self.literal()?]
        };
        Ok(Filter::Compare { path, by, with })
    }

    fn operator(&mut self) -> Result<Operator, Refusal> {
        const SYMBOLS: [(&str, Operator); 7] = [
            ("=", Operator::Is),
            ("!=", Operator::IsNot),
            ("<>", Operator::IsNot),
            ("<", Operator::Below),
            ("<=", Operator::AtMost),
            (">", Operator::Above),
            (">=", Operator::AtLeast),
        ];
        for (symbol, operator) in SYMBOLS {
            if self.symbol(symbol) {
                return Ok(operator);
            }
        }
        if self.word("LIKE") {
            Ok(Operator::Like)
        } else if self.word("IN") {
            Ok(Operator::In)
        } else if self.word("NOT") {
            self.expect_word("IN")?;
            Ok(Operator::NotIn)
        } else {
            Err(self.unexpected())
        }
    }

    fn literal(&mut self) -> Result<Literal, Refusal> {
        let literal = match self.tokens.get(self.next).map(|token| &token.kind) {
            Some(Kind::Text(text)) => Literal::Text(text.clone()),
            Some(Kind::Number(digits)) => digits.parse().map(Literal::Number).map_err(|_| self.unexpected())?,
            Some(Kind::Date(date)) => Literal::Date(date.clone()),
            Some(Kind::DateTime(instant)) => Literal::DateTime(instant.clone()),
            Some(Kind::Word(word)) if word.eq_ignore_ascii_case("true") => Literal::Boolean(true),
            Some(Kind::Word(word)) if word.eq_ignore_ascii_case("false") => Literal::Boolean(false),
            Some(Kind::Word(word)) if word.eq_ignore_ascii_case("null") => Literal::Null,
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok(literal)
    }

    fn order(&mut self) -> Result<Order, Refusal> {
        let path = self.path()?;
        let descending = self.word("DESC");
        if !descending {
            self.word("ASC");
        }
        let mut nulls_last = false;
        if self.word("NULLS") {
            nulls_last = self.word("LAST");
            if !nulls_last {
                self.expect_word("FIRST")?;
            }
        }
        Ok(Order { path, descending, nulls_last })
    }

    fn count(&mut self) -> Result<usize, Refusal> {
        let count = match self.tokens.get(self.next).map(|token| &token.kind) {
            Some(Kind::Number(digits)) => digits.parse().ok(),
            _ => None,
        };
        let count = count.ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(count)
    }

    fn path(&mut self) -> Result<Path, Refusal> {
        let (name, at) = self.name()?;
        let mut names = vec![name];
        while self.symbol(".") {
            names.push(self.name()?.0);
        }
        Ok(Path { names, at })
    }

    fn name(&mut self) -> Result<(String, usize), Refusal> {
        const RESERVED: [&str; 8] = ["SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "LIMIT", "LIKE"];
        match self.tokens.get(self.next) {
            Some(Token { kind: Kind::Word(word), at }) if !RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved)) => {
                self.next += 1;
                Ok((word.clone(), *at))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn peek_word(&self, wanted: &str) -> bool {
        let token = self.tokens.get(self.next);
        token.is_some_and(|token| matches!(&token.kind, Kind::Word(word) if word.eq_ignore_ascii_case(wanted)))
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = self.peek_word(wanted);
        self.next += usize::from(found);
        found
    }

    fn symbol(&mut self, wanted: &str) -> bool {
        let token = self.tokens.get(self.next);
        let found = token.is_some_and(|token| matches!(token.kind, Kind::Symbol(symbol) if symbol == wanted));
        self.next += usize::from(found);
        found
    }

    fn expect_word(&mut self, wanted: &str) -> Result<(), Refusal> {
        if self.word(wanted) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect_symbol(&mut self, wanted: &str) -> Result<(), Refusal> {
        if self.symbol(wanted) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Refusal {
        match self.tokens.get(self.next) {
            Some(token) => refused("MALFORMED_QUERY", self.soql, token.at, &format!("unexpected token: {}", token.kind)),
            None => refused("MALFORMED_QUERY", self.soql, self.soql.chars().count(), "unexpected token: '<EOF>'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_all_its_parts() {
        let soql = "SELECT Id, Contact.Name FROM Case WHERE Subject LIKE '50\\%%' AND (IsClosed = false OR Status \
                    IN ('a', 'b')) ORDER BY CreatedDate DESC NULLS LAST LIMIT 5";
        let query = parse(soql).expect("well-formed");
        assert_eq!(query.object.text, "Case");
        assert_eq!(query.limit, Some(5));
        assert!(query.order[0].descending && query.order[0].nulls_last);
        let Some(Filter::All(conditions)) = query.filter else { panic!("joined by AND") };
        let Filter::Compare { with, .. } = &conditions[0] else { panic!("a comparison") };
        let Literal::Text(text) = &with[0] else { panic!("text") };
        assert_eq!(text.0[2..], [Glyph::Escaped('%'), Glyph::Plain('%')]);
        assert!(matches!(&conditions[1], Filter::Any(any) if any.len() == 2));
    }

    #[test]
    fn what_is_not_in_the_language_is_malformed() {
        for soql in [
            "",
            "SELECT",
            "SELECT Id",
            "SELECT * FROM Case",
            "SELECT Id FROM Case WHERE",
            "SELECT Id FROM Case WHERE A = 'x",
            "SELECT Id FROM Case WHERE A = 'O'Hara'",
            "SELECT Id FROM Case WHERE A = 'x\\q'",
            "SELECT Id FROM Case WHERE A = 'x' OR B = 'y' AND C = 'z'",
            "SELECT Id FROM Case WHERE A IN ()",
            "SELECT Id FROM Case LIMIT -1",
            "SELECT Id FROM Case; DROP",
        ] {
            assert_eq!(parse(soql).map_err(|refusal| refusal.code), Err("MALFORMED_QUERY"), "{soql}");
        }
        let nested = format!("SELECT Id FROM Case WHERE {}A = 1", "(".repeat(10_000));
        assert!(parse(&nested).is_err());
    }
}
