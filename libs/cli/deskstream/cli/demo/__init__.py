"""`deskstream demo`: real mails through real servers, told as a story."""
