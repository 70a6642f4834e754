"""Mail in by SMTP, mail out by SMTP."""
