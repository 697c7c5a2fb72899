//! The entities of the API: their paths, fields, and which fields a query may name.

/// An entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Entity {
    Customer,
    Vendor,
    Employee,
    Item,
    Invoice,
    TimeActivity,
    TaxCode,
    TaxRate,
    Account,
    CompanyInfo,
}

use Entity::{Account, CompanyInfo, Customer, Employee, Invoice, Item, TaxCode, TaxRate, TimeActivity, Vendor};

impl Entity {
    pub(super) const ALL: [Entity; 10] = [Customer, Vendor, Employee, Item, Invoice, TimeActivity, TaxCode, TaxRate, Account, CompanyInfo];

    /// Reads a name in any case: `invoice` in paths, `Invoice` in queries and batches.
    pub(super) fn parse(text: &str) -> Option<Entity> {
        Entity::ALL.into_iter().find(|entity| entity.name().eq_ignore_ascii_case(text))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Customer => "Customer",
            Vendor => "Vendor",
            Employee => "Employee",
            Item => "Item",
            Invoice => "Invoice",
            TimeActivity => "TimeActivity",
            TaxCode => "TaxCode",
            TaxRate => "TaxRate",
            Account => "Account",
            CompanyInfo => "CompanyInfo",
        }
    }

    /// The name of its list in messages about references.
    pub(super) fn list(self) -> &'static str {
        match self {
            Customer | Vendor | Employee => "Names",
            Item => "Items",
            Account => "Accounts",
            other => other.name(),
        }
    }

    /// The entity whose ids it shares: customers, vendors and employees have one sequence.
    pub(super) fn sequence(self) -> Entity {
        match self {
            Vendor | Employee => Customer,
            other => other,
        }
    }

    /// Whether records end by `Active: false`; they can't be deleted then.
    pub(super) fn is_list(self) -> bool {
        !matches!(self, Invoice | TimeActivity | CompanyInfo)
    }

    /// Whether this stand-in lets it be written.
    pub(super) fn is_writable(self) -> bool {
        matches!(self, Customer | Vendor | Employee | Item | Invoice | TimeActivity)
    }

    /// Fields that a request may have, beside [`COMMON`].
    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Customer => &[
                "DisplayName",
                "Title",
                "GivenName",
                "MiddleName",
                "FamilyName",
                "Suffix",
                "FullyQualifiedName",
                "CompanyName",
                "PrintOnCheckName",
                "Active",
                "PrimaryPhone",
                "AlternatePhone",
                "Mobile",
                "Fax",
                "PrimaryEmailAddr",
                "WebAddr",
                "DefaultTaxCodeRef",
                "Taxable",
                "TaxExemptionReasonId",
                "BillAddr",
                "ShipAddr",
                "Notes",
                "Job",
                "BillWithParent",
                "ParentRef",
                "Level",
                "SalesTermRef",
                "PaymentMethodRef",
                "Balance",
                "OpenBalanceDate",
                "BalanceWithJobs",
                "CurrencyRef",
                "PreferredDeliveryMethod",
                "ResaleNum",
                "ARAccountRef",
                "CustomerTypeRef",
                "IsProject",
                "ClientEntityId",
                "V4IDPseudonym",
                "PrimaryTaxIdentifier",
                "SecondaryTaxIdentifier",
                "Source",
                "GSTIN",
                "GSTRegistrationType",
            ],
            Vendor => &[
                "DisplayName",
                "Title",
                "GivenName",
                "MiddleName",
                "FamilyName",
                "Suffix",
                "CompanyName",
                "PrintOnCheckName",
                "Active",
                "PrimaryPhone",
                "AlternatePhone",
                "Mobile",
                "Fax",
                "PrimaryEmailAddr",
                "WebAddr",
                "BillAddr",
                "TermRef",
                "AcctNum",
                "Vendor1099",
                "TaxIdentifier",
                "Balance",
                "BillRate",
                "CostRate",
                "CurrencyRef",
                "APAccountRef",
                "OtherContactInfo",
                "Source",
            ],
            Employee => &[
                "DisplayName",
                "Title",
                "GivenName",
                "MiddleName",
                "FamilyName",
                "Suffix",
                "PrintOnCheckName",
                "Active",
                "PrimaryPhone",
                "Mobile",
                "PrimaryEmailAddr",
                "PrimaryAddr",
                "EmployeeNumber",
                "SSN",
                "BillableTime",
                "BillRate",
                "CostRate",
                "BirthDate",
                "Gender",
                "HiredDate",
                "ReleasedDate",
                "Organization",
                "V4IDPseudonym",
            ],
            Item => &[
                "Name",
                "Description",
                "Active",
                "FullyQualifiedName",
                "Taxable",
                "UnitPrice",
                "Type",
                "Sku",
                "IncomeAccountRef",
                "PurchaseDesc",
                "PurchaseCost",
                "ExpenseAccountRef",
                "AssetAccountRef",
                "TrackQtyOnHand",
                "QtyOnHand",
                "InvStartDate",
                "SubItem",
                "ParentRef",
                "Level",
                "PrefVendorRef",
                "SalesTaxCodeRef",
                "PurchaseTaxCodeRef",
                "SalesTaxIncluded",
                "PurchaseTaxIncluded",
                "ClassRef",
                "ReorderPoint",
                "RatePercent",
                "Source",
            ],
            Invoice => &[
                "Line",
                "CustomerRef",
                "CurrencyRef",
                "ExchangeRate",
                "DocNumber",
                "BillEmail",
                "BillEmailCc",
                "BillEmailBcc",
                "TxnDate",
                "DueDate",
                "ShipDate",
                "TrackingNum",
                "ShipMethodRef",
                "ShipFromAddr",
                "ShipAddr",
                "BillAddr",
                "ClassRef",
                "DepartmentRef",
                "PrintStatus",
                "SalesTermRef",
                "TxnSource",
                "LinkedTxn",
                "DepositToAccountRef",
                "Deposit",
                "GlobalTaxCalculation",
                "TransactionLocationType",
                "PrivateNote",
                "CustomerMemo",
                "EmailStatus",
                "TxnTaxDetail",
                "CustomField",
                "ApplyTaxAfterDiscount",
                "FreeFormAddress",
                "AllowIPNPayment",
                "AllowOnlinePayment",
                "AllowOnlineCreditCardPayment",
                "AllowOnlineACHPayment",
                "ProjectRef",
                "InvoiceLink",
                "DeliveryInfo",
                "TotalAmt",
                "Balance",
                "HomeBalance",
                "HomeTotalAmt",
                "RecurDataRef",
                "TaxExemptionRef",
            ],
            TimeActivity => &[
                "NameOf",
                "EmployeeRef",
                "VendorRef",
                "OtherNameRef",
                "TxnDate",
                "CustomerRef",
                "ItemRef",
                "ClassRef",
                "DepartmentRef",
                "PayrollItemRef",
                "BillableStatus",
                "Taxable",
                "HourlyRate",
                "CostRate",
                "Hours",
                "Minutes",
                "Seconds",
                "BreakHours",
                "BreakMinutes",
                "BreakSeconds",
                "StartTime",
                "EndTime",
                "Description",
                "ProjectRef",
                "TransactionLocationType",
            ],
            TaxCode | TaxRate | Account | CompanyInfo => &[],
        }
    }

    /// Fields that QuickBooks sets alone: what a request says of them is not taken over.
    pub(super) fn read_only(self) -> &'static [&'static str] {
        match self {
            Customer => &["Balance", "BalanceWithJobs", "FullyQualifiedName", "Level", "IsProject"],
            Vendor => &["Balance"],
            Employee => &[],
            Item => &["FullyQualifiedName", "Level"],
            Invoice => &["TotalAmt", "Balance", "HomeBalance", "HomeTotalAmt", "DeliveryInfo", "InvoiceLink", "RecurDataRef"],
            TimeActivity | TaxCode | TaxRate | Account | CompanyInfo => &[],
        }
    }

    /// Fields that a condition or an order may name, beside `Id` and the times in `MetaData`.
    pub(super) fn queryable(self) -> &'static [&'static str] {
        match self {
            Customer => &[
                "DisplayName",
                "GivenName",
                "MiddleName",
                "FamilyName",
                "Suffix",
                "FullyQualifiedName",
                "CompanyName",
                "PrintOnCheckName",
                "Active",
                "PrimaryEmailAddr",
                "PrimaryPhone",
                "Balance",
                "BalanceWithJobs",
                "Job",
                "Taxable",
            ],
            Vendor => &["DisplayName", "GivenName", "MiddleName", "FamilyName", "CompanyName", "PrintOnCheckName", "Active", "Balance"],
            Employee => &["DisplayName", "GivenName", "MiddleName", "FamilyName", "PrintOnCheckName", "Active"],
            Item => &["Name", "FullyQualifiedName", "Active", "Type", "Sku", "UnitPrice", "Description"],
            Invoice => &["DocNumber", "TxnDate", "DueDate", "CustomerRef", "Balance", "TotalAmt", "SalesTermRef"],
            TimeActivity => &["TxnDate", "BillableStatus", "ProjectRef"],
            TaxCode => &["Name", "Active", "Taxable", "Description"],
            TaxRate => &["Name", "Active", "RateValue"],
            Account => &["Name", "FullyQualifiedName", "Active", "AccountType", "AccountSubType", "Classification"],
            CompanyInfo => &[],
        }
    }
}

/// Fields that every entity has.
pub(super) const COMMON: [&str; 6] = ["Id", "SyncToken", "MetaData", "domain", "sparse", "status"];
