"""Search by gradient in the latent space of an autoencoder of architectures."""
