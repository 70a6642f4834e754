"""All SQL of the CRM: senders on the hot path; accounts and contacts as people save them."""
