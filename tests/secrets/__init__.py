"""What must not leave: the token anywhere, the values of customers in any log."""
