"""The walk over every public name of Keras: tables of cases, and the page that is made of them."""
